// Prepared HTTP/1.1 requests as bytes, and a plain call for set-up work.
import { setTimeout as pause } from 'node:timers/promises';

/** @returns the bytes of one request; `body` is an object (JSON), a text (a form) or nothing */
export function requestBytes({ method = 'POST', path, headers = {}, body }) {
  const text = typeof body === 'object' ? JSON.stringify(body) : (body ?? '');
  const type = typeof body === 'object' ? 'application/json' : 'application/x-www-form-urlencoded';
  const lines = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1', 'connection: keep-alive'];
  if (body !== undefined) lines.push(`content-type: ${type}`, `content-length: ${Buffer.byteLength(text)}`);
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${text}`);
}

/** A busy machine is forgiven while it is filled, never while it is measured. */
const TRIES = 10;
const PAUSE_MS = 300;

/** @returns the answer's JSON, for seeding; throws unless the status is 2xx */
export async function call(port, { method = 'POST', path, headers = {}, body }) {
  for (let attempt = 1; ; attempt++) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (answer.ok) return text ? JSON.parse(text) : undefined;
    if (answer.status !== 503 || attempt === TRIES) {
      throw new Error(`${method} ${path} answered ${answer.status}: ${text.slice(0, 200)}`);
    }
    await pause(PAUSE_MS);
  }
}

/** Calls `work(at)` for 0..count-1, `width` at a time, and keeps the order of the results. */
export async function many(count, work, width = 64) {
  const results = Array.from({ length: count });
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const at = next++;
      results[at] = await work(at);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
  return results;
}
