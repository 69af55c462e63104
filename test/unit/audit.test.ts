/** The parts of the audit that need no store: canonical text, checkpoints, repeated refusals. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { calculateJwkThumbprint, compactVerify, importJWK, type JWK } from 'jose';
import { canonicalJson, chainHash, GENESIS, nextEntry, readEntry } from '../../src/audit/audit.js';
import { readCheckpoint, signCheckpoint, thumbprintOf } from '../../src/audit/checkpoint.js';
import { RepeatedRefusals } from '../../src/audit/repeated-refusals.js';
import type { Circumstances } from '../../src/http/happenings.js';

const T0 = Date.UTC(2026, 10, 23);

describe('canonical JSON', () => {
  test.each([
    [{ b: 1, a: 2 }, '{"a":2,"b":1}'],
    [{ a: { d: 1, c: [3, { f: 1, e: 2 }] } }, '{"a":{"c":[3,{"e":2,"f":1}],"d":1}}'],
    [{ a: undefined, b: null, c: true }, '{"b":null,"c":true}'],
    [['x', 'é', '\u2028', '"', '\u0000'], '["x","é","\u2028","\\"","\\u0000"]'],
    [{ 'a-b': 1, a_b: 2, aB: 3, ab: 4 }, '{"a-b":1,"aB":3,"a_b":2,"ab":4}'],
  ])('of %j', (value, text) => {
    expect(canonicalJson(value as never)).toBe(text);
    expect(canonicalJson(JSON.parse(text) as never)).toBe(text);
  });
});

describe('an entry', () => {
  const record = {
    tenant_id: 'acme',
    time: '2026-11-23T00:00:00.000Z',
    action: 'tenant_deleted',
    actor: { kind: 'platform' },
    outcome: 'ok',
  } as const;

  test('is hashed with the one before it, by SHA-256 of both and a line feed', () => {
    const first = nextEntry(GENESIS, record);
    const text =
      '{"action":"tenant_deleted","actor":{"kind":"platform"},"outcome":"ok","seq":1,"tenant_id":"acme","time":"2026-11-23T00:00:00.000Z"}';
    expect(first).toEqual({
      seq: 1,
      document: text,
      hash: createHash('sha256')
        .update(`${'0'.repeat(64)}\n${text}`)
        .digest('hex'),
    });
    const second = nextEntry(first, record);
    expect(second.hash).toBe(chainHash(first.hash, second.document));
    expect(second.seq).toBe(2);
  });

  test.each(['', 'null', '[]', '7', '{', '{"seq":', '{"a":1}'])('is not to be read from %j', (text) => {
    expect(readEntry(text)).toBeNull();
  });
});

describe('a checkpoint', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const stated = { tenantId: 'acme', head: { seq: 7, hash: 'a'.repeat(64) }, first: 3 };
  const sign = () => signCheckpoint(stated, { kid: 'k1', key: privateKey, nowMs: T0 });

  test('says what was signed, by a key that it names', async () => {
    const read = readCheckpoint(await sign());
    expect(read).toMatchObject({
      ...stated,
      issuedAt: T0 / 1000,
      kid: 'k1',
      thumbprint: thumbprintOf(publicKey),
    });
    expect([read?.isBy(), read?.isBy(publicKey)]).toEqual([true, true]);
    expect(read?.isBy(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)).toBe(false);
  });

  test('is a JWS like any other to a library that knows nothing of it, with the RFC 7638 thumbprint', async () => {
    const { protectedHeader, payload } = await compactVerify(await sign(), async (header) =>
      importJWK(header?.jwk as JWK, 'RS256'),
    );
    expect(protectedHeader).toMatchObject({ alg: 'RS256', typ: 'audit-checkpoint+jws', kid: 'k1' });
    const { iat, exp, aud } = JSON.parse(Buffer.from(payload).toString()) as Record<string, number | string>;
    // Nobody takes it for a token: it was expired when it was made, and is for nobody who takes tokens.
    expect([exp, aud]).toEqual([iat, 'urn:audit-checkpoint']);
    expect(await calculateJwkThumbprint(protectedHeader.jwk as JWK)).toBe(
      readCheckpoint(await sign())?.thumbprint,
    );
  });

  test('of which any byte was changed is not by its key, or no checkpoint', async () => {
    const jws = await sign();
    for (let at = 0; at < jws.length; at += 7) {
      const char = jws[at] === 'A' ? 'B' : 'A';
      const read = readCheckpoint(jws.slice(0, at) + char + jws.slice(at + 1));
      expect([at, read?.isBy(publicKey) ?? false]).toEqual([at, false]);
    }
  });

  test.each([undefined, null, 7, '', 'a.b.c', '..', 'e30.e30.e30'])('is not to be read from %j', (text) => {
    expect(readCheckpoint(text)).toBeNull();
  });
});

describe('repeated refusals', () => {
  const at = (seconds: number, requestId = 'r'): Circumstances => ({
    atMs: T0 + seconds * 1000,
    actor: { kind: 'anonymous' },
    requestId,
    sourceAddress: null,
    comment: null,
    outcome: 'unauthorized',
  });
  const brief = (told: ReturnType<RepeatedRefusals['note']>) =>
    told.map(({ kind, repeated, circumstances }) => [kind, circumstances.requestId, repeated]);

  test('are told once a minute for each kind, with how many there were since', () => {
    const refusals = new RepeatedRefusals();
    expect(brief(refusals.note('a', at(0, 'r1')))).toEqual([['a', 'r1', 0]]);
    expect(brief(refusals.note('a', at(1)))).toEqual([]);
    expect(brief(refusals.note('a', at(59.9)))).toEqual([]);
    expect(brief(refusals.note('b', at(10, 'r2')))).toEqual([['b', 'r2', 0]]);
    expect(brief(refusals.note('a', at(60, 'r3')))).toEqual([['a', 'r3', 2]]);
  });

  test('are told when their minute is over: the last of them speaks for all', () => {
    const refusals = new RepeatedRefusals();
    refusals.note('a', at(0));
    refusals.note('b', at(30));
    for (const id of ['r1', 'r2', 'r3']) refusals.note('a', at(40, id));
    refusals.note('b', at(41, 'r4'));
    expect(brief(refusals.takeOver(T0 + 59_000))).toEqual([]);
    expect(brief(refusals.takeOver(T0 + 60_000))).toEqual([['a', 'r3', 2]]);
    expect(brief(refusals.takeOver(T0 + 60_000))).toEqual([]);
    expect(brief(refusals.takeOver(T0 + 60_000, { all: true }))).toEqual([['b', 'r4', 0]]);
  });

  test('of many kinds take bounded memory, and none is forgotten untold', () => {
    const refusals = new RepeatedRefusals();
    refusals.note('first', at(0));
    refusals.note('first', at(0, 'counted'));
    const told = Array.from({ length: 10_000 }, (_, n) => refusals.note(`kind ${n}`, at(1))).flat();
    expect(told.filter(({ kind }) => kind === 'first')).toMatchObject([
      { circumstances: { requestId: 'counted' } },
    ]);
    expect(told).toHaveLength(10_001);
  });
});
