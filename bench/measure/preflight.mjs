// Before anything is measured: does each case do what it says? A fast answer to a failed request is no result.
import { Connection } from '../load/connection.mjs';

const DEADLINE_MS = 10_000;

export async function preflight(cases) {
  for (const one of cases) {
    const { status, text } = await firstAnswer(one);
    if (status !== one.traffic.status || !text.includes(one.expects ?? '')) {
      throw new Error(
        `${one.id}: expected ${one.traffic.status} ${one.expects ?? ''}, got ${status} ${text.slice(0, 300)}`,
      );
    }
  }
}

async function firstAnswer({ port, traffic }) {
  const answer = Promise.withResolvers();
  const connection = await Connection.open(port, {
    onAnswer(connection, status, body) {
      const text = body.toString();
      if (status === traffic.status) traffic.receive?.(connection, body);
      answer.resolve({ status, text });
    },
    onBroken: () => answer.reject(new Error('connection closed')),
  });
  const late = setTimeout(() => answer.reject(new Error('no answer')), DEADLINE_MS);
  try {
    connection.send(traffic.next(connection));
    return await answer.promise;
  } finally {
    clearTimeout(late);
    connection.close();
  }
}
