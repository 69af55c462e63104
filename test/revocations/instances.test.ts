/** The streams of several instances on one Redis: which of them a reader is at, and what breaks between, is no matter. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Instances } from '../outages/instances.js';
import { command } from '../support/redis-commands.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { SOON_OUT, TestService, type TestTenant } from '../support/test-service.js';
import { FeedClient } from './feed-client.js';
import { announceMany } from './many-revocations.js';

const endSession = async (service: TestService, tenant: TestTenant) => {
  const { session_id: id, access_token: token } = await service.createSession(tenant);
  await service.revoke(tenant, token);
  return id;
};

describe('two instances', () => {
  let instances: Instances;
  let here: TestService;
  let there: TestService;

  beforeAll(async () => {
    instances = await Instances.start([{}, {}]);
    [here, there] = [instances.at(0), instances.at(1)];
  });

  afterAll(() => instances.stop());

  test('tell of what the other one revoked, killed or suspended', async () => {
    const tenant = await here.tenant();
    const client = await FeedClient.opened(here, tenant);
    await client.untilRevoked(await endSession(there, tenant));
    const [kid = ''] = client.kids;
    await there.asPlatform('DELETE', `/tenants/${tenant.tenantId}/keys/${kid}`);
    await client.until(() => client.kids.length === 1 && client.kids[0] !== kid);
    await there.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'suspended' });
    await client.until(() => client.isEnded);
  });

  test('and one that was started later go on where another one was left', async () => {
    const tenant = await here.tenant();
    const left = await FeedClient.opened(here, tenant);
    await left.untilRevoked(await endSession(here, tenant));
    left.close();
    const missed = [await endSession(here, tenant), await endSession(there, tenant)];
    const later = await TestService.start({ STORE_URL: instances.redis.url }, instances.clock);
    for (const service of [here, there, later]) {
      const client = await FeedClient.opened(service, tenant, { lastEventId: left.lastEventId });
      await client.until(() => missed.every((id) => client.revoked.has(id)));
      expect(client.named('snapshot')).toEqual([]);
      expect(client.revoked.size).toBe(missed.length);
      client.close();
    }
    await later.stop();
  });

  test('tell everything to whoever was away for too long', async () => {
    const [tenant, busy] = [await here.tenant(), await here.tenant()];
    const id = await endSession(here, tenant);
    const left = await FeedClient.opened(here, tenant);
    left.close();
    const [last = ''] = (await announceMany(here, busy.tenantId, 16_384)).slice(-1);
    const watching = await FeedClient.opened(there, busy);
    await watching.untilRevoked(last);
    watching.close();
    const client = await FeedClient.opened(there, tenant, { lastEventId: left.lastEventId });
    expect(client.named('snapshot')).toHaveLength(1);
    expect([...client.revoked.keys()]).toEqual([id]);
    client.close();
  });

  test('tell everything anew when the store has lost the feed, and know nobody’s place in it', async () => {
    const tenant = await here.tenant();
    const known = await endSession(here, tenant);
    const client = await FeedClient.opened(here, tenant);
    const before = client.lastEventId;
    const admin = instances.redis.client();
    await admin.del('{changes}:stream', '{changes}:state');
    admin.disconnect();
    await client.until(() => client.named('snapshot').length === 2);
    expect(client.revoked.has(known)).toBe(true);
    await client.untilRevoked(await endSession(there, tenant));
    const again = await FeedClient.opened(there, tenant, { lastEventId: before });
    expect(again.named('snapshot')).toHaveLength(1);
    expect(again.revoked.has(known)).toBe(true);
    client.close();
    again.close();
  });
});

describe('a stream of an instance that has lost its way to the store', () => {
  let instances: Instances;
  let proxy: TcpProxy;
  let cut: TestService;

  beforeAll(async () => {
    instances = await Instances.start([{}]);
    proxy = await TcpProxy.start(instances.redis.port);
    cut = await TestService.start({ ...SOON_OUT, STORE_URL: proxy.url }, instances.clock);
  });

  afterAll(async () => {
    await cut.stop();
    await proxy.stop();
    await instances.stop();
  });

  test.each([
    ['hears nothing of the feed', command('xread')],
    ['gets no answer at all', () => true],
  ])('grows old while it %s, stays open, and then has missed nothing', async (_, silences) => {
    const other = instances.at(0);
    const tenant = await other.tenant();
    const client = await FeedClient.opened(cut, tenant);
    await client.until(() => client.ageMs < 1000);
    const before = client.named('age').length;
    proxy.silences = silences;
    await client.until(() => client.ageMs > 2000);
    const id = await endSession(other, tenant);
    const ages = client
      .named('age')
      .slice(before)
      .map(({ data }) => data.age_ms ?? 0);
    expect(Math.max(...ages)).toBe(client.ageMs);
    // A new reader is served from memory, and told how old that is.
    const late = await FeedClient.opened(cut, tenant);
    expect(late.status).toBe(200);
    expect(late.ageMs).toBeGreaterThan(2000);
    expect(client.revoked.has(id)).toBe(false);
    proxy.silences = null;
    await Promise.all([client.untilRevoked(id), late.untilRevoked(id)]);
    await client.until(() => client.ageMs < 1000);
    expect([client.isEnded, late.isEnded]).toEqual([false, false]);
    client.close();
    late.close();
  });

  test('grows old while a change of keys is heard of and cannot be read', async () => {
    const other = instances.at(0);
    const tenant = await other.tenant();
    const client = await FeedClient.opened(cut, tenant);
    const [kid = ''] = client.kids;
    await client.until(() => client.ageMs < 1000);
    proxy.silences = command('hget');
    await other.asPlatform('DELETE', `/tenants/${tenant.tenantId}/keys/${kid}`);
    await client.until(() => client.ageMs > 3000);
    expect(client.kids).toEqual([kid]);
    proxy.silences = null;
    await client.until(() => !client.kids.includes(kid));
    await client.until(() => client.ageMs < 1000);
    expect(client.isEnded).toBe(false);
    client.close();
  });
});
