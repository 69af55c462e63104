import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { AppError } from '../../src/errors.js';
import { LocalKeyProvider } from '../../src/keys/local-key-provider.js';
import { randomMasterKey } from './master-keys.js';

const M1 = randomMasterKey('m1');
const M2 = randomMasterKey('m2');
const DATA_KEY = randomBytes(32);

const provider = new LocalKeyProvider([M1]);
/** Callers may wipe what they handed in. */
const wrap = (by = provider, tenantId = 'acme'): Promise<string> => by.wrap(Buffer.from(DATA_KEY), tenantId);

/** @returns the error with which it does not open */
async function refusal(wrapped: string, tenantId = 'acme', by = provider): Promise<AppError> {
  try {
    await by.unwrap(wrapped, tenantId);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('it opened');
}

describe('a data key wrapped under a master key', () => {
  test('opens to what was wrapped', async () => {
    expect(await provider.unwrap(await wrap(), 'acme')).toEqual(DATA_KEY);
  });

  test('names its version and its master key, and shows nothing of its content', async () => {
    const wrapped = await wrap();
    expect(wrapped).toMatch(/^local\.v1\.m1\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{64}$/);
    expect(provider.keyIdOf(wrapped)).toBe('m1');
    expect(Buffer.from(String(wrapped.split('.')[4]), 'base64url').includes(DATA_KEY)).toBe(false);
  });

  test('never has the same bytes twice', async () => {
    const wrapped = await Promise.all(Array.from({ length: 100 }, () => wrap()));
    expect(new Set(wrapped.map((text) => text.split('.')[3])).size).toBe(100);
  });

  test('does not open when moved to another tenant', async () => {
    expect(await refusal(await wrap(), 'globex')).toMatchObject({ code: 'store_unavailable', status: 503 });
  });

  test('does not open when any of its bytes is changed', async () => {
    const parts = (await wrap()).split('.');
    for (const part of [3, 4]) {
      const bytes = Buffer.from(String(parts[part]), 'base64url');
      for (let at = 0; at < bytes.length; at++) {
        const tampered = Buffer.from(bytes);
        tampered.writeUInt8(tampered.readUInt8(at) ^ 1, at);
        const wrapped = parts.with(part, tampered.toString('base64url')).join('.');
        expect((await refusal(wrapped)).code).toBe('store_unavailable');
      }
    }
  });

  test('does not open when its tag is shortened', async () => {
    const parts = (await provider.wrap(Buffer.alloc(0), 'acme')).split('.');
    const tag = Buffer.from(String(parts[4]), 'base64url');
    for (let length = 0; length < tag.length; length++) {
      const short = parts.with(4, tag.subarray(0, length).toString('base64url')).join('.');
      expect((await refusal(short)).code).toBe('store_unavailable');
    }
  });

  test.each(['', '.', '....', 'local', 'local.v1', 'local.v1.m1', 'local.v1.m1..', 'vault:v1:AAAA', 'text'])(
    'does not open when it is no such thing: %j',
    async (text) => {
      expect((await refusal(text)).code).toBe('store_unavailable');
    },
  );

  test.each(['local.v0', 'local.v2', 'LOCAL.v1', 'v1', ''])(
    'does not open under a version it does not know: %j',
    async (version) => {
      const wrapped = (await wrap()).replace(/^local\.v1/, version);
      expect((await refusal(wrapped)).code).toBe('store_unavailable');
    },
  );

  test('tells nothing of itself in refusals', async () => {
    const wrapped = await wrap();
    const error = await refusal(`${wrapped.slice(0, -4)}AAAA`);
    const body = String(wrapped.split('.')[4]).slice(0, 8);
    for (const text of [error.message, String(error.cause)]) expect(text).not.toContain(body);
  });
});

describe('a list of master keys', () => {
  const rotated = new LocalKeyProvider([M2, M1]);

  test('wraps under the first and opens under all', async () => {
    const old = await wrap();
    const wrapped = await wrap(rotated);
    expect(rotated.keyIdOf(wrapped)).toBe('m2');
    expect(await rotated.unwrap(old, 'acme')).toEqual(DATA_KEY);
    expect(await rotated.unwrap(wrapped, 'acme')).toEqual(DATA_KEY);
  });

  test('moves a data key under the first, once', async () => {
    const moved = await rotated.rewrap(await wrap(), 'acme');
    expect(rotated.keyIdOf(String(moved))).toBe('m2');
    expect(await new LocalKeyProvider([M2]).unwrap(String(moved), 'acme')).toEqual(DATA_KEY);
    expect(await rotated.rewrap(String(moved), 'acme')).toBeNull();
  });

  test('moves nothing that it cannot open', async () => {
    const error = { code: 'store_unavailable', answer: { action: 'contact_operator' } };
    await expect(rotated.rewrap(await wrap(), 'globex')).rejects.toMatchObject(error);
    await expect(new LocalKeyProvider([M2]).rewrap(await wrap(), 'acme')).rejects.toMatchObject(error);
  });

  test('calls a key that is no longer listed an outage for the operator, never a bad token', async () => {
    expect(await refusal(await wrap(), 'acme', new LocalKeyProvider([M2]))).toMatchObject({
      code: 'store_unavailable',
      status: 503,
      answer: { error: 'store_unavailable', action: 'contact_operator' },
    });
  });

  test('does not open under another key of the same name', async () => {
    const other = new LocalKeyProvider([randomMasterKey('m1')]);
    expect((await refusal(await wrap(), 'acme', other)).code).toBe('store_unavailable');
  });

  test('does not open what names another key of the list', async () => {
    const renamed = (await wrap(rotated)).replace('local.v1.m2.', 'local.v1.m1.');
    expect((await refusal(renamed, 'acme', rotated)).code).toBe('store_unavailable');
  });

  test.each(['__proto__', 'constructor', 'm'])('has no key %s', async (id) => {
    const renamed = (await wrap()).replace('local.v1.m1.', `local.v1.${id}.`);
    expect((await refusal(renamed)).code).toBe('store_unavailable');
  });
});
