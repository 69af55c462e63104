import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import type { HttpAnswer, TestService, TestTenant, Tokens } from '../support/test-service.js';

import { Instances } from './instances.js';

interface Path {
  readonly name: string;
  /** Ends what `tokens` of `tenant` may do. */
  readonly revoke: (
    service: TestService,
    subject: { tenant: TestTenant; tokens: Tokens; keyId: string },
  ) => Promise<{ status: number }>;
  readonly refusedAs: { status: number; error: string };
}

const REVOKED = { status: 401, error: 'token_revoked' };

const PATHS: readonly Path[] = [
  {
    name: 'revoke',
    revoke: (service, { tenant, tokens }) => service.revoke(tenant, tokens.access_token),
    refusedAs: REVOKED,
  },
  {
    name: 'revoke by refresh token',
    revoke: (service, { tenant, tokens }) => service.revoke(tenant, tokens.refresh_token),
    refusedAs: REVOKED,
  },
  {
    name: 'revoke only this token',
    revoke: (service, { tenant, tokens }) =>
      service.revoke(tenant, tokens.access_token, { only_this_token: true }),
    refusedAs: REVOKED,
  },
  {
    name: 'revoke a batch',
    revoke: (service, { tenant, tokens }) =>
      service.post(tenant, '/sessions/revoke-batch', { tokens: [tokens.access_token], reason: 'admin' }),
    refusedAs: REVOKED,
  },
  {
    name: 'revoke all of a user',
    revoke: (service, { tenant }) =>
      service.post(tenant, '/sessions/revoke-all', {
        tenant_id: tenant.tenantId,
        user_id: 'alice',
        reason: 'password_change',
      }),
    refusedAs: REVOKED,
  },
  {
    name: 'delete the session',
    revoke: (service, { tenant, tokens }) =>
      service.call('DELETE', `/sessions/${tokens.session_id}`, { apiKey: tenant.apiKey }),
    refusedAs: REVOKED,
  },
  {
    name: 'one session more than the user may have',
    revoke: async (service, { tenant }) => {
      for (let more = 0; more < 2; more++) {
        service.clock.advanceSeconds(1);
        await service.createSession(tenant);
      }
      return { status: 201 };
    },
    refusedAs: REVOKED,
  },
  {
    name: 'a refresh token used again',
    revoke: async (service, { tenant, tokens }) => {
      await service.refresh(tenant, tokens.refresh_token);
      service.clock.advanceSeconds(11);
      const { status, body } = await service.refresh(tenant, tokens.refresh_token);
      expect(body).toMatchObject({ error: 'refresh_token_reused' });
      return { status: status === 401 ? 200 : status };
    },
    refusedAs: REVOKED,
  },
  {
    name: 'revoke all of the tenant',
    revoke: (service, { tenant }) =>
      service.asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, { reason: 'security_incident' }),
    refusedAs: REVOKED,
  },
  {
    name: 'kill the key that signed it',
    revoke: async (service, { tenant }) => {
      const path = `/tenants/${tenant.tenantId}/keys`;
      const { body } = await service.asPlatform<{ keys: { kid: string }[] }>('GET', path);
      return service.asPlatform('DELETE', `${path}/${body.keys[0]?.kid ?? ''}`);
    },
    refusedAs: { status: 401, error: 'token_revoked' },
  },
  {
    name: 'revoke the API key',
    revoke: (service, { tenant, keyId }) =>
      service.asPlatform('DELETE', `/tenants/${tenant.tenantId}/api-keys/${keyId}`),
    refusedAs: { status: 401, error: 'unauthorized' },
  },
  {
    name: 'suspend the tenant',
    revoke: (service, { tenant }) =>
      service.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'suspended' }),
    refusedAs: { status: 403, error: 'tenant_suspended' },
  },
  {
    name: 'delete the tenant',
    revoke: (service, { tenant }) => service.asPlatform('DELETE', `/tenants/${tenant.tenantId}`),
    refusedAs: { status: 401, error: 'unauthorized' },
  },
];

describe('with three instances on one Redis', () => {
  let instances: Instances;

  beforeAll(async () => {
    instances = await Instances.start([{}, {}, {}]);
  });

  afterAll(() => instances.stop());

  const verdict = ({ status, body }: HttpAnswer) => ({ status, error: body['error'] });

  async function knownEverywhere(tenant: TestTenant, tokens: Tokens): Promise<void> {
    for (const service of instances.services) {
      await eventually(
        () => service.validate(tenant, tokens.access_token),
        ({ status, body }) =>
          status === 200 && (body['revocation'] as { checked: string }).checked === 'replica',
      );
    }
  }

  test.each(PATHS)(
    '$name: refused by the very next request here, and everywhere when the news has come',
    async ({ revoke, refusedAs }) => {
      const here = instances.at(0);
      const tenant = await here.tenant({ max_sessions_per_user: 2 });
      const tokens = await here.createSession(tenant);
      await knownEverywhere(tenant, tokens);
      const { body } = await here.asPlatform<{ api_keys: { key_id: string }[] }>(
        'GET',
        `/tenants/${tenant.tenantId}/api-keys`,
      );

      const { status } = await revoke(here, { tenant, tokens, keyId: body.api_keys[0]?.key_id ?? '' });
      expect(status).toBeLessThan(300);
      expect(verdict(await here.validate(tenant, tokens.access_token))).toEqual(refusedAs);
      await Promise.all(
        instances.services.map((service) =>
          eventually(
            () => service.validate(tenant, tokens.access_token),
            (answer) => verdict(answer).error === refusedAs.error,
          ),
        ),
      );
      for (const service of instances.services) {
        expect(verdict(await service.validate(tenant, tokens.access_token))).toEqual(refusedAs);
      }
    },
  );

  test('settings that are changed on one are followed by all when the news has come', async () => {
    const tenant = await instances.at(0).tenant();
    await knownEverywhere(tenant, await instances.at(0).createSession(tenant));
    await instances
      .at(0)
      .asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { access_token_ttl_seconds: 77 });
    await Promise.all(
      instances.services.map((service) =>
        eventually(
          () => service.createSession(tenant),
          (tokens) => tokens.expires_in === 77,
        ),
      ),
    );
  });

  test('an API key of a deleted tenant does not work for a new tenant of that name', async () => {
    const [here, there] = [instances.at(0), instances.at(1)];
    const tenant = await here.tenant();
    const tokens = await here.createSession(tenant);
    await knownEverywhere(tenant, tokens);
    await here.asPlatform('DELETE', `/tenants/${tenant.tenantId}`);
    const again = await here.asPlatform('POST', '/tenants', { tenant_id: tenant.tenantId });
    expect(again.status).toBe(201);
    for (const service of [here, there]) {
      const answer = await eventually(
        () => service.validate(tenant, tokens.access_token),
        ({ status }) => status === 401,
      );
      expect(answer.body).toMatchObject({ error: 'unauthorized' });
      const reborn = { tenantId: tenant.tenantId, apiKey: String(again.body['api_key']) };
      expect((await service.validate(reborn, tokens.access_token)).status).toBe(401);
    }
  });

  test('validations read nothing from the store but the feed', async () => {
    const here = instances.at(0);
    const tenant = await here.tenant();
    const tokens = await here.createSession(tenant);
    await knownEverywhere(tenant, tokens);
    const admin = instances.redis.client();
    const before = await commandCalls(admin);
    const startedMs = performance.now();
    for (let round = 0; round < 50; round++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => here.validate(tenant, tokens.access_token)),
      );
      for (const { status } of answers) expect(status).toBe(200);
    }
    const after = await commandCalls(admin);
    admin.disconnect();
    const used = Object.fromEntries(
      Object.entries(after)
        .map(([command, calls]) => [command, calls - (before[command] ?? 0)] as const)
        .filter(([, calls]) => calls > 0),
    );
    // The state of the feed and its entries, read by each instance five times a second.
    const { xread = 0, hmget = 0, ...others } = used;
    const readsInThisTime = (3 * (performance.now() - startedMs)) / 200;
    expect(xread).toBeLessThan(2 * readsInThisTime + 20);
    expect(Math.abs(xread - hmget)).toBeLessThanOrEqual(3);
    // Now and then the time, a pass of key rotation, and this test's own INFO; however many validations there are.
    const strangers = Object.values(others).reduce((sum, count) => sum + count, 0);
    expect(strangers).toBeLessThan(100);
  });
});

async function commandCalls(admin: {
  info(section: string): Promise<string>;
}): Promise<Record<string, number>> {
  const text = await admin.info('commandstats');
  const stats = text.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm);
  return Object.fromEntries([...stats].map(([, command = '', calls]) => [command, Number(calls)]));
}
