/**
 * Two regions with a Redis each, 80 ms apart each way, as docs/multi-region.md draws them. `npm run simulate:regions`
 * prints what was measured; its exit status is the verdict.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { buildOnce } from '../support/service-process.js';
import { ADMIN_API_KEY, type TestTenant, type Tokens } from '../support/test-service.js';
import { Region } from './region.js';

/** What is promised while the line holds. */
const PROMISED_MS = 1000;
const REVOCATIONS = 15;

describe('two regions', () => {
  /** Tenants are at home here. */
  let home: Region;
  let away: Region;
  let tenant: TestTenant;

  beforeAll(async () => {
    buildOnce();
    [home, away] = [await Region.start(), await Region.start()];
    tenant = await home.service.tenant({ access_token_ttl_seconds: 3600 });
    follow();
    await eventually(async () => (await session(away)) !== null);
  });

  afterAll(async () => {
    await Promise.all([home?.stop(), away?.stop()]);
  });

  function follow(): void {
    away.follow(home, { tenants: true });
    home.follow(away, { tenants: false });
  }

  /** null while the tenant is not known there. */
  async function session(region: Region): Promise<Tokens | null> {
    const body = { tenant_id: tenant.tenantId, user_id: 'alice', scope: 'read' };
    const answer = await region.service.post<Tokens>(tenant, '/sessions', body);
    return answer.status === 201 ? answer.body : null;
  }

  async function begun(region: Region): Promise<Tokens> {
    const tokens = await session(region);
    if (!tokens) throw new Error('no session began');
    return tokens;
  }

  async function isRefused(
    region: Region,
    { access_token: token }: Tokens,
    check?: string,
  ): Promise<boolean> {
    const answers = await Promise.all(
      region.instances.map((instance) => instance.validate(tenant, token, check)),
    );
    return answers.every(({ status, body }) => status === 401 && body['error'] === 'token_revoked');
  }

  /** On every instance there, by memory and by the store. */
  async function untilRefused(region: Region, tokens: Tokens): Promise<void> {
    await eventually(
      async () => (await isRefused(region, tokens)) && (await isRefused(region, tokens, 'store')),
    );
  }

  /** @returns how long each took to be refused on every instance of the other region, ms, shortest first */
  async function delays(from: Region, to: Region): Promise<number[]> {
    const measured: number[] = [];
    for (let n = 0; n < REVOCATIONS; n++) {
      const tokens = await begun(from);
      await from.service.revoke(tenant, tokens.access_token);
      const startedAt = performance.now();
      await eventually(() => isRefused(to, tokens));
      measured.push(Math.round(performance.now() - startedAt));
    }
    return measured.toSorted((a, b) => a - b);
  }

  test('each accept what the other issued', async () => {
    for (const [from, to] of [
      [home, away],
      [away, home],
    ] as const) {
      const tokens = await begun(from);
      expect((await to.service.validate(tenant, tokens.access_token)).status).toBe(200);
    }
  });

  test('refuse what the other revoked, within a second', async () => {
    for (const [name, from, to] of [
      ['home to away', home, away],
      ['away to home', away, home],
    ] as const) {
      const measured = await delays(from, to);
      const median = measured[Math.floor(REVOCATIONS / 2)] ?? Infinity;
      process.stdout.write(`revoked ${name}: median ${median} ms, longest ${measured.at(-1)} ms\n`);
      expect(median).toBeLessThan(PROMISED_MS);
    }
  });

  test('end a session of the other: its refresh token is refused where it lives', async () => {
    const tokens = await begun(home);
    expect((await away.service.revoke(tenant, tokens.refresh_token)).status).toBe(204);
    await untilRefused(home, tokens);
    expect((await home.service.refresh(tenant, tokens.refresh_token)).status).toBe(401);
  });

  test('refresh a session where it lives, and nowhere else', async () => {
    const tokens = await begun(home);
    const elsewhere = await away.service.refresh(tenant, tokens.refresh_token);
    expect([elsewhere.status, elsewhere.body['error']]).toEqual([401, 'refresh_token_not_found']);
    expect((await home.service.refresh(tenant, tokens.refresh_token)).status).toBe(200);
  });

  test('hear of keys, API keys and settings from home', async () => {
    const rotated = await home.service.asPlatform('POST', `/tenants/${tenant.tenantId}/keys/rotate`, {
      now: true,
    });
    expect(rotated.status).toBe(200);
    const tokens = await begun(home);
    await eventually(async () => (await away.service.validate(tenant, tokens.access_token)).status === 200);
    const keys = `/tenants/${tenant.tenantId}/api-keys`;
    const issued = await home.service.call<{ api_key: string; key_id: string }>('POST', keys, {
      apiKey: ADMIN_API_KEY,
      body: { name: 'checkout', scopes: ['sessions:validate'] },
    });
    const checkout = { tenantId: tenant.tenantId, apiKey: issued.body.api_key };
    const status = async () => (await away.service.validate(checkout, tokens.access_token)).status;
    await eventually(async () => (await status()) === 200);
    await home.service.asPlatform('DELETE', `${keys}/${issued.body.key_id}`);
    await eventually(async () => (await status()) === 401);
  });

  test('lose nothing while the line is cut: each side’s revocations arrive when it is mended', async () => {
    const [here, there] = [await begun(home), await begun(away)];
    for (const region of [home, away]) region.link.cut();
    await home.service.revoke(tenant, here.access_token);
    await away.service.revoke(tenant, there.access_token);
    await eventually(() => home.bridgeLog.includes('bridge_cut') && away.bridgeLog.includes('bridge_cut'));
    // Promised by nobody: until then each goes by what it knows.
    expect((await away.service.validate(tenant, here.access_token)).status).toBe(200);
    expect((await home.service.validate(tenant, there.access_token)).status).toBe(200);
    for (const region of [home, away]) region.link.mend();
    await untilRefused(away, here);
    await untilRefused(home, there);
  });

  test('lose nothing when the bridges die, and tell each other nothing twice', async () => {
    const [here, there] = [await begun(home), await begun(away)];
    await Promise.all([home.killBridge(), away.killBridge()]);
    await home.service.revoke(tenant, here.access_token);
    await away.service.revoke(tenant, there.access_token);
    const before = [await home.announced(), await away.announced()];
    follow();
    await untilRefused(away, here);
    await untilRefused(home, there);
    const tokens = await begun(home);
    await home.service.revoke(tenant, tokens.access_token);
    await untilRefused(away, tokens);
    await untilRefused(home, there);
    // The one that came over the bridge, and the one that was made here.
    expect(await home.announced()).toBe(Number(before[0]) + 2);
  });

  test('end everything of a tenant from home, and what ended away is never taken back', async () => {
    const [here, there] = [await begun(home), await begun(away)];
    const end = (region: Region) =>
      region.service.asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, {
        reason: 'security_incident',
      });
    // Home is out of reach: it can be done away as well, and must be done again at home.
    for (const region of [home, away]) region.link.cut();
    expect((await end(away)).status).toBe(200);
    expect(await isRefused(away, there)).toBe(true);
    for (const region of [home, away]) region.link.mend();
    await eventually(() => away.bridgeLog.includes('bridge_epoch_is_ahead'));
    expect(await isRefused(away, here)).toBe(true);
    await end(home);
    await eventually(async () => {
      const tokens = await begun(home);
      return (await away.service.validate(tenant, tokens.access_token)).status === 200;
    });
    for (const tokens of [here, there])
      for (const region of [home, away]) expect(await isRefused(region, tokens)).toBe(true);
  });
});
