/** What of the audit outlives its process: everything after an orderly end, everything but the last moment after kill -9. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditPageDto, AuditVerificationDto } from '../../src/audit/audit.dto.js';
import { buildOnce, ServiceProcess } from '../support/service-process.js';
import { ADMIN_API_KEY, TestService } from '../support/test-service.js';
import { entriesOf, signed, verificationOf } from './audit-calls.js';

describe('an orderly end', () => {
  let directory: string;
  let env: Record<string, string>;
  let running: TestService | undefined;

  const start = async (): Promise<TestService> => (running = await TestService.start(env));
  const stop = async (): Promise<void> => {
    await running?.stop();
    running = undefined;
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'audit-test-'));
    env = { STORE_URL: `sqlite:${join(directory, 'sessions.db')}` };
  });
  afterEach(async () => {
    await stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('writes what waits, counted refusals too, and signs it', async () => {
    const first = await start();
    const acme = await first.tenant();
    for (let n = 0; n < 3; n++) await first.call('GET', '/tenants', { apiKey: acme.apiKey });
    await stop();
    const second = await start();
    expect(
      (await entriesOf(second, acme)).map(({ action, details }) => [action, details?.['repeated']]),
    ).toEqual([
      ['audit_checkpoint', undefined],
      ['request_refused', 1],
      ['request_refused', undefined],
      ['tenant_created', undefined],
    ]);
    expect(await verificationOf(second, acme)).toMatchObject({ intact: true, signed_through: { seq: 3 } });
  });

  test('leaves a file in which one changed byte is found', async () => {
    const first = await start();
    const acme = await first.tenant();
    for (const user_id of ['alice', 'bob', 'carol']) await first.createSession(acme, { user_id });
    await signed(first, acme);
    await stop();
    const file = new DatabaseSync(join(directory, 'sessions.db'));
    file.exec('UPDATE audit SET document = replace(document, \'"bob"\', \'"rob"\')');
    file.close();
    const second = await start();
    expect((await verificationOf(second, acme)).problem).toMatchObject({ kind: 'changed', seq: 3 });
  });
});

describe('kill -9', () => {
  let service: ServiceProcess;
  beforeAll(() => buildOnce(), 120_000);
  afterEach(() => service.stop());

  const call = async <T>(path: string, apiKey: string, body?: unknown, requestId = 'setup'): Promise<T> => {
    const answer = await fetch(service.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'x-api-key': apiKey, 'content-type': 'application/json', 'x-request-id': requestId },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as T;
  };

  test('leaves a whole chain, and in the log all that was acknowledged but the last moment', async () => {
    const env = { STORE_URL: 'sqlite:./sessions.db', LOG_LEVEL: 'info' };
    service = await ServiceProcess.start(env);
    const tenant = await call<{ api_key: string }>('/tenants', ADMIN_API_KEY, { tenant_id: 'acme' });
    const acknowledged: string[] = [];
    const of = (worker: number) => acknowledged.filter((id) => id.startsWith(`create-${worker}-`));
    const storm = Array.from({ length: 4 }, async (_, worker) => {
      for (let n = 0; ; n++) {
        const id = `create-${worker}-${n}`;
        try {
          await call('/sessions', tenant.api_key, { tenant_id: 'acme', user_id: id, scope: '' }, id);
        } catch {
          return;
        }
        acknowledged.push(id);
      }
    });
    while (acknowledged.length < 60) await new Promise((resolve) => setTimeout(resolve, 5));
    await service.kill();
    await Promise.all(storm);
    // The log is written beside the requests: of each worker, what it asked for last may not have got there.
    for (const id of [0, 1, 2, 3].flatMap((worker) => of(worker).slice(0, -3))) {
      expect(service.log).toContain(`"request_id":"${id}"`);
    }

    service = await ServiceProcess.start(env, service.directory);
    const verification = await call<AuditVerificationDto>('/tenants/acme/audit/verification', ADMIN_API_KEY);
    expect(verification).toMatchObject({ intact: true, from: 1 });
    const { entries } = await call<AuditPageDto>('/tenants/acme/audit?limit=500', ADMIN_API_KEY);
    const kept = new Set(entries.map(({ request_id }) => request_id));
    // Lost at most is what was told last: nothing before something that was kept.
    const lost = [0, 1, 2, 3].map((worker) => {
      const own = of(worker);
      const firstLost = own.findIndex((id) => !kept.has(id));
      return firstLost < 0 ? [] : own.slice(firstLost).filter((id) => kept.has(id));
    });
    expect(lost).toEqual([[], [], [], []]);
  }, 60_000);
});
