/** A failover can bring back what was deleted; an instance that remembers does not let it live. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { RedisServer } from '../support/redis-server.js';
import { TestService, type TestTenant, type Tokens } from '../support/test-service.js';

describe('a session whose record comes back after its revocation', () => {
  let redis: RedisServer;
  let client: Redis;
  let service: TestService;
  let acme: TestTenant;

  beforeAll(async () => {
    redis = await RedisServer.start();
    client = redis.client();
    service = await TestService.start({ STORE_URL: redis.url });
    acme = await service.tenant();
  });

  afterAll(async () => {
    client.disconnect();
    await service.stop();
    await redis.stop();
  });

  const keyOf = (tokens: Tokens, kind: string) =>
    `tenant:{${acme.tenantId}:${tokens.session_id.slice(0, 4)}}:${kind}:${tokens.session_id}`;

  test('is not refreshed, and is ended again', async () => {
    const tokens = await service.createSession(acme);
    const record = await client.dumpBuffer(keyOf(tokens, 'session'));
    expect((await service.revoke(acme, tokens.access_token)).status).toBe(204);
    await client.del(keyOf(tokens, 'revoked'));
    await client.restore(keyOf(tokens, 'session'), 60_000, record);

    expect(await service.refresh(acme, tokens.refresh_token)).toMatchObject({
      status: 401,
      body: { error: 'token_revoked' },
    });
    expect(await client.exists(keyOf(tokens, 'session'))).toBe(0);
  });

  test('that the store has lost altogether is blocked by whoever revokes it', async () => {
    const tokens = await service.createSession(acme);
    await client.del(keyOf(tokens, 'session'));
    expect((await service.validate(acme, tokens.access_token)).status).toBe(200);
    expect((await service.revoke(acme, tokens.access_token)).status).toBe(204);
    for (const check of ['replica', 'store']) {
      expect(await service.validate(acme, tokens.access_token, check)).toMatchObject({
        status: 401,
        body: { error: 'token_revoked' },
      });
    }
  });
});
