/**
 * Somebody who can write to the store, but has no keys: whatever is changed, removed or moved, the verification names
 * the first entry that is not what it was; and what it cannot see is said here as well.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import type { Redis } from 'ioredis';
import { chainHash, nextEntry, type AuditEntry, type ChainHead } from '../../src/audit/audit.js';
import type { AuditVerificationDto } from '../../src/audit/audit.dto.js';
import { signCheckpoint } from '../../src/audit/checkpoint.js';
import { Random } from '../contract/random.js';
import { RedisServer } from '../support/redis-server.js';
import { TestService, type TestTenant } from '../support/test-service.js';
import { entriesOf, signed, verificationOf } from './audit-calls.js';

const FLIPS = 150;
const GENESIS_HASH = '0'.repeat(64);

describe('tampering with the store', () => {
  let redis: RedisServer;
  let client: Redis;
  let service: TestService;
  let acme: TestTenant;
  let entriesKey: string;
  let stateKey: string;
  /** As it was written: place -> hash and text. */
  let written: Record<string, string>;
  let state: Record<string, string>;

  beforeAll(async () => {
    redis = await RedisServer.start();
    client = redis.client();
    service = await TestService.start({ STORE_URL: redis.url });
  });
  afterAll(async () => {
    await service.stop();
    client.disconnect();
    await redis.stop();
  });

  /** Fourteen entries; 6 and 11 are checkpoints; 12 to 14 are not signed yet. */
  beforeEach(async () => {
    acme = await service.tenant();
    entriesKey = `tenant:{${acme.tenantId}}:audit`;
    stateKey = `tenant:{${acme.tenantId}}:audit-state`;
    for (const [sessions, sign] of [
      [4, true],
      [4, true],
      [3, false],
    ] as const) {
      for (let n = 0; n < sessions; n++) await service.createSession(acme, { user_id: `user-${n}` });
      if (sign) await signed(service, acme);
    }
    expect(await verify()).toMatchObject({ intact: true, through: 14, signed_through: { seq: 10 } });
    written = await client.hgetall(entriesKey);
    state = await client.hgetall(stateKey);
  });

  const verify = (query = ''): Promise<AuditVerificationDto> => verificationOf(service, acme, query);
  const put = (place: number, text: string) => client.hset(entriesKey, String(place), text);
  const at = (place: number): string => written[String(place)] ?? '';
  const headAt = (place: number): ChainHead => ({ seq: place, hash: at(place).slice(0, 64) });

  async function restore(): Promise<void> {
    await client.del(entriesKey, stateKey);
    await client.hset(entriesKey, written);
    await client.hset(stateKey, state);
  }

  /** What somebody does who knows the format: everything from `place` on gets the hashes that it should have. */
  async function relinked(place: number, texts: readonly string[]): Promise<void> {
    let head: ChainHead = place === 1 ? { seq: 0, hash: GENESIS_HASH } : headAt(place - 1);
    for (const text of texts) {
      const entry = { ...(JSON.parse(text) as AuditEntry) };
      const kept = nextEntry(head, entry);
      await put(kept.seq, kept.hash + kept.document);
      head = { seq: kept.seq, hash: kept.hash };
    }
    for (let n = head.seq + 1; n <= 14; n++) await client.hdel(entriesKey, String(n));
    await client.hset(stateKey, { seq: String(head.seq), hash: head.hash });
  }
  const textsFrom = (place: number): string[] =>
    Array.from({ length: 15 - place }, (_, n) => at(place + n).slice(64));

  test(`of one byte anywhere is found, and the entry named: ${FLIPS} flips`, async () => {
    const random = new Random(7);
    for (let n = 0; n < FLIPS; n++) {
      const place = 1 + random.below(14);
      const bytes = Buffer.from(at(place));
      const where = random.below(bytes.length);
      bytes[where] = (bytes[where] ?? 0) ^ (1 << random.below(7));
      await client.hset(entriesKey, String(place), bytes);
      const { intact, problem } = await verify();
      expect({ place, where, intact, seq: problem?.seq }).toEqual({
        place,
        where,
        intact: false,
        seq: place,
      });
      await put(place, at(place));
    }
    expect(await verify()).toMatchObject({ intact: true });
  });

  test('by removing an entry is found, wherever it was', async () => {
    for (let place = 1; place <= 14; place++) {
      await client.hdel(entriesKey, String(place));
      expect((await verify()).problem).toMatchObject({ kind: 'removed', seq: place });
      await put(place, at(place));
    }
  });

  test('by changing the order is found', async () => {
    for (let place = 1; place < 14; place++) {
      await put(place, at(place + 1));
      await put(place + 1, at(place));
      expect((await verify()).problem).toMatchObject({ kind: 'moved', seq: place });
      await restore();
    }
  });

  test('by removing an entry and closing the gap is found', async () => {
    for (let place = 4; place < 14; place++) await put(place, at(place + 1));
    await client.hdel(entriesKey, '14');
    expect((await verify()).problem).toMatchObject({ kind: 'moved', seq: 4 });
  });

  test('by putting in an entry of another tenant is found', async () => {
    const other = await service.tenant();
    await entriesOf(service, other);
    const theirs = (await client.hget(`tenant:{${other.tenantId}}:audit`, '1')) ?? '';
    await put(1, theirs);
    expect((await verify()).problem).toMatchObject({ kind: 'changed', seq: 1 });
  });

  test('of a signed entry is found although all hashes were computed anew', async () => {
    const texts = textsFrom(8).map((text) => text.replace('user-', 'mallory-'));
    await relinked(8, texts);
    expect((await verify()).problem).toMatchObject({ kind: 'rewritten', seq: 6 });
  });

  test('by leaving a signed entry out is found although all hashes were computed anew', async () => {
    await relinked(3, textsFrom(4));
    expect((await verify()).problem).toMatchObject({ kind: 'rewritten', seq: 1 });
  });

  test('of a checkpoint is found: its signature is not by the key that it names', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const genuine = JSON.parse(at(11).slice(64)) as AuditEntry;
    const { jws: signature } = genuine.details as { jws: string };
    const [header = ''] = signature.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const head = headAt(10);
    const { tenantId } = acme;
    const jws = await signCheckpoint({ tenantId, head, first: 1 }, { kid, key: privateKey, nowMs: 0 });
    const forged = JSON.stringify({ ...genuine, details: { ...genuine.details, jws } });
    await relinked(11, [forged, ...textsFrom(12)]);
    expect((await verify()).problem).toMatchObject({ kind: 'checkpoint_invalid', seq: 11 });
  });

  test('by signing with a key of one’s own vouches for nothing', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const genuine = JSON.parse(at(11).slice(64)) as AuditEntry;
    const { tenantId } = acme;
    const jws = await signCheckpoint(
      { tenantId, head: headAt(10), first: 1 },
      { kid: 'mine', key: privateKey, nowMs: 0 },
    );
    await relinked(11, [JSON.stringify({ ...genuine, details: { ...genuine.details, jws } })]);
    expect(await verify()).toMatchObject({ signed_through: { seq: 5 } });
  });

  test('by declaring that the beginning was trimmed needs the key: what the newest signature says counts', async () => {
    await client.hdel(entriesKey, '1', '2', '3', '4', '5');
    await client.hset(stateKey, 'first', '6');
    expect((await verify()).problem).toMatchObject({ kind: 'removed', seq: 1 });
  });

  test('by cutting off the end is seen only against a head that was written down elsewhere', async () => {
    const { hash } = headAt(14);
    await relinked(11, [at(11).slice(64)]);
    expect(await verify()).toMatchObject({ intact: true, through: 11 });
    expect((await verify(`?expect=14:${hash}`)).problem).toMatchObject({ kind: 'removed', seq: 12 });
  });

  test('by rewriting what is not signed yet is seen only against a head that was written down elsewhere', async () => {
    const { hash } = headAt(14);
    await relinked(
      13,
      textsFrom(13).map((text) => text.replace('user-', 'mallory-')),
    );
    expect(await verify()).toMatchObject({ intact: true });
    expect((await verify(`?expect=14:${hash}`)).problem).toMatchObject({ kind: 'rewritten' });
    expect(await verify(`?expect=10:${headAt(10).hash}`)).toMatchObject({ intact: true });
  });

  test.each([
    ['by cutting off the end', () => relinked(11, [at(11).slice(64)])],
    ['by removing the whole chain', () => client.del(entriesKey, stateKey)],
    [
      'by rewriting what is not signed yet',
      () =>
        relinked(
          13,
          textsFrom(13).map((text) => text.replace('user-', 'mallory-')),
        ),
    ],
  ])('%s is noted in the chain by an instance that had seen it', async (_, tamper) => {
    await tamper();
    await service.createSession(acme);
    const { intact, losses } = await verify();
    expect(intact).toBe(false);
    expect(losses).toEqual([headAt(14)]);
    expect(await entriesOf(service, acme, '&action=audit_lost')).toMatchObject([
      { actor: { kind: 'service' }, details: headAt(14) },
    ]);
  });

  test('is told by standard means too: the hash of an entry covers the one before it and its text', async () => {
    const [second, first] = (await entriesOf(service, acme)).slice(-2);
    const { hash, ...rest } = second ?? { hash: '' };
    const sorted = JSON.stringify(rest, Object.keys(flat(rest)).toSorted());
    expect(chainHash(String(first?.hash), sorted)).toBe(hash);
  });
});

/** Every member's name, however deep: what JSON.stringify needs to sort by. */
function flat(value: object): Record<string, true> {
  const names: Record<string, true> = {};
  for (const [name, member] of Object.entries(value)) {
    names[name] = true;
    if (typeof member === 'object' && member !== null) Object.assign(names, flat(member as object));
  }
  return names;
}
