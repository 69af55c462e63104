import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.js';
import { anyBelow, rounds, times } from '../support/racing.js';
import { buildOnce, ServiceProcess } from '../support/service-process.js';
import { ADMIN_API_KEY, type Tokens } from '../support/test-service.js';

const KILLS = 5;
const CLIENTS = 12;
/** So many sessions are made before a kill, and up to so many more. */
const LEAST_SESSIONS = 20;
const MORE_SESSIONS = 100;
const DATABASE = 'sessions.db';

interface Answer {
  readonly status: number;
  readonly body: Tokens & { error?: string; api_key?: string };
}

/** A session as its client knows it: what was acknowledged, and what it asked for last. */
interface Known {
  tokens: Tokens;
  ended: 'no' | 'asked' | 'acknowledged';
  refreshUnderWay: boolean;
}

describe('a service on SQLite that is killed in the middle of traffic', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kill-nine-'));
  const env = { STORE_URL: `sqlite:./${DATABASE}` };
  const known: Known[] = [];
  let service: ServiceProcess;
  let apiKey = '';
  let refreshesCutShort = 0;

  beforeAll(async () => {
    buildOnce();
    service = await ServiceProcess.start(env, directory);
    // Without a grace window every retry comes too late for it.
    const acme = await call(
      'POST',
      '/tenants',
      { tenant_id: 'acme', refresh_grace_seconds: 0 },
      ADMIN_API_KEY,
    );
    apiKey = acme.body.api_key ?? '';
  });

  afterAll(async () => {
    await service.kill();
    rmSync(directory, { recursive: true, force: true });
  });

  test.each(times(KILLS, (at) => at + 1))('has lost nothing that it acknowledged (kill %i)', async () => {
    const before = known.length;
    const traffic = Promise.all(times(CLIENTS, () => clientUntilKilled()));
    const enough = LEAST_SESSIONS + anyBelow(MORE_SESSIONS);
    await eventually(() => {
      const ours = known.slice(before);
      return (
        ours.length >= enough &&
        ours.some(({ refreshUnderWay }) => refreshUnderWay) &&
        ours.filter(({ ended }) => ended === 'acknowledged').length > 1
      );
    });
    await service.kill();
    await traffic;
    expect(integrityOf(directory)).toBe('ok');
    service = await ServiceProcess.start(env, directory);
    refreshesCutShort += known.filter(({ refreshUnderWay }) => refreshUnderWay).length;
    await rounds(known.length, (at) => expectAsAcknowledged(known[at]));
  });

  test('was killed while it refreshed, and after it had revoked', () => {
    expect(refreshesCutShort).toBeGreaterThan(0);
    expect(known.filter(({ ended }) => ended === 'acknowledged').length).toBeGreaterThan(KILLS);
  });

  async function call(method: string, path: string, body?: unknown, key = apiKey): Promise<Answer> {
    const answer = await fetch(service.url + path, {
      method,
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: (text ? JSON.parse(text) : {}) as Answer['body'] };
  }

  /** Logs in, refreshes some times, logs out or stays, and begins again, until the line is dead. */
  async function clientUntilKilled(): Promise<void> {
    try {
      for (;;) {
        const user = { tenant_id: 'acme', user_id: `user-${anyBelow(1_000_000)}`, scope: 'read' };
        const { status, body } = await call('POST', '/sessions', user);
        expect(status).toBe(201);
        const session: Known = { tokens: body, ended: 'no', refreshUnderWay: false };
        known.push(session);
        for (let left = anyBelow(4); left > 0; left--) await refresh(session);
        if (anyBelow(2) === 0) await revoke(session);
      }
    } catch (error) {
      if ((error as Error).message !== 'fetch failed' && (error as Error).message !== 'terminated')
        throw error;
    }
  }

  async function refresh(session: Known): Promise<void> {
    session.refreshUnderWay = true;
    const { status, body } = await call('POST', '/sessions/refresh', {
      refresh_token: session.tokens.refresh_token,
    });
    expect(status).toBe(200);
    session.tokens = body;
    session.refreshUnderWay = false;
  }

  async function revoke(session: Known): Promise<void> {
    session.ended = 'asked';
    const { refresh_token: token } = session.tokens;
    expect((await call('POST', '/sessions/revoke', { token, reason: 'user_logout' })).status).toBe(204);
    session.ended = 'acknowledged';
  }

  async function expectAsAcknowledged(session: Known | undefined): Promise<void> {
    if (!session) throw new Error('no such session');
    const { session_id, access_token, refresh_token } = session.tokens;
    const validate = () => call('POST', '/sessions/validate', { access_token, revocation_check: 'store' });
    const read = await call('GET', `/sessions/${session_id}`);
    if (session.ended === 'asked') session.ended = read.status === 200 ? 'no' : 'acknowledged'; // either is true
    if (session.ended === 'acknowledged') {
      expect(read.status).toBe(404);
      expect((await validate()).status).toBe(401);
      expect((await call('POST', '/sessions/refresh', { refresh_token })).status).toBe(401);
      return;
    }
    expect(read.status).toBe(200);
    expect((await validate()).status).toBe(200);
    await refresh(session); // with the last token that the client was given
    const again = await call('POST', '/sessions/refresh', { refresh_token: session.tokens.refresh_token });
    expect(again.status).toBe(200);
    session.tokens = again.body;
  }
});

/** Looks at a copy: opening the file itself would repair it before the service does. */
function integrityOf(directory: string): unknown {
  const copy = mkdtempSync(join(tmpdir(), 'kill-nine-copy-'));
  for (const file of readdirSync(directory).filter((name) => name.startsWith(DATABASE))) {
    cpSync(join(directory, file), join(copy, file));
  }
  const database = new DatabaseSync(join(copy, DATABASE));
  const row = database.prepare('PRAGMA integrity_check').get();
  database.close();
  rmSync(copy, { recursive: true, force: true });
  return row?.['integrity_check'];
}
