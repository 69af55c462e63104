import { describe, expect, test } from '@jest/globals';
import { AppError } from '../../src/errors.js';
import { Envelope, type DataKey, type SealContext } from '../../src/keys/envelope.js';
import { LocalKeyProvider } from '../../src/keys/local-key-provider.js';
import { randomMasterKey } from './master-keys.js';

const CONTEXT: SealContext = { kid: 'k1', purpose: 'signing-key' };
const SECRET = Buffer.from('a private key, say');

const M1 = randomMasterKey('m1');

const envelope = new Envelope(new LocalKeyProvider([M1]));
const acme = await envelope.newDataKey('acme');

/** @returns the error with which it does not open */
function refusal(sealed: string, context = CONTEXT, by: DataKey = acme): AppError {
  try {
    by.open(sealed, context);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('it opened');
}

describe('what a data key seals', () => {
  test.each([SECRET, Buffer.alloc(0), Buffer.alloc(4096, 7)])('opens to what was sealed', (secret) => {
    expect(acme.open(acme.seal(secret, CONTEXT), CONTEXT)).toEqual(secret);
  });

  test('shows nothing of its content', () => {
    const sealed = acme.seal(SECRET, CONTEXT);
    expect(sealed).toMatch(/^[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+$/);
    expect(Buffer.from(String(sealed.split('.')[1]), 'base64url').includes(SECRET)).toBe(false);
  });

  test('never has the same bytes twice', () => {
    const sealed = Array.from({ length: 100 }, () => acme.seal(SECRET, CONTEXT));
    expect(new Set(sealed.map((text) => text.split('.')[0])).size).toBe(100);
    expect(new Set(sealed.map((text) => text.split('.')[1])).size).toBe(100);
  });

  test.each<[string, Partial<SealContext>]>([
    ['kid', { kid: 'k2' }],
    ['purpose', { purpose: 'refresh-secret' }],
  ])('does not open when moved to another %s', (_, moved) => {
    const sealed = acme.seal(SECRET, CONTEXT);
    expect(refusal(sealed, { ...CONTEXT, ...moved })).toMatchObject({
      code: 'store_unavailable',
      status: 503,
      answer: { error: 'store_unavailable', action: 'contact_operator' },
    });
  });

  test('does not open under the data key of another tenant', async () => {
    const globex = await envelope.newDataKey('globex');
    expect(refusal(acme.seal(SECRET, CONTEXT), CONTEXT, globex).status).toBe(503);
  });

  test.each([
    ['tenant', 'globex', CONTEXT],
    ['boundary between tenant and kid', 'acmek', { ...CONTEXT, kid: '1' }],
  ] as const)('is bound to its %s even where two tenants share a data key', async (_, tenantId, context) => {
    const provider = new LocalKeyProvider([M1]);
    const bytes = Buffer.alloc(32, 3);
    const dataKeyOf = async (of: string): Promise<DataKey> =>
      envelope.openDataKey(await provider.wrap(bytes, of), of);
    const [ours, theirs] = [await dataKeyOf('acme'), await dataKeyOf(tenantId)];
    const sealed = ours.seal(SECRET, CONTEXT);
    expect(theirs.open(theirs.seal(SECRET, context), context)).toEqual(SECRET);
    expect(refusal(sealed, context, theirs).status).toBe(503);
  });

  test('does not open when any of its bytes is changed', () => {
    const parts = acme.seal(SECRET, CONTEXT).split('.');
    for (const [part, text] of parts.entries()) {
      const bytes = Buffer.from(text, 'base64url');
      for (let at = 0; at < bytes.length; at++) {
        const tampered = Buffer.from(bytes);
        tampered.writeUInt8(tampered.readUInt8(at) ^ 1, at);
        const sealed = parts.with(part, tampered.toString('base64url')).join('.');
        expect(refusal(sealed).code).toBe('store_unavailable');
      }
    }
  });

  test('does not open when its tag is shortened', () => {
    const [iv, body] = acme.seal(Buffer.alloc(0), CONTEXT).split('.');
    const tag = Buffer.from(String(body), 'base64url');
    for (let length = 0; length < tag.length; length++) {
      const short = tag.subarray(0, length).toString('base64url');
      expect(refusal([iv, short].join('.')).code).toBe('store_unavailable');
    }
  });

  test.each(['', '.', '...', 'iv', 'iv.', 'AAAAAAAAAAAAAAAA', 'AAAAAAAAAAAAAAAA.', 'text'])(
    'does not open when it is nothing of the kind: %j',
    (text) => {
      expect(refusal(text).code).toBe('store_unavailable');
    },
  );

  test('tells nothing of itself in refusals', () => {
    const sealed = acme.seal(SECRET, CONTEXT);
    const error = refusal(`${sealed.slice(0, -4)}AAAA`);
    const body = String(sealed.split('.')[1]).slice(0, 8);
    for (const text of [error.message, String(error.cause)]) {
      expect(text).not.toContain(body);
      expect(text).not.toContain(SECRET.toString());
    }
  });
});

describe('a data key', () => {
  test('opens again to the key it was', async () => {
    const again = await envelope.openDataKey(acme.wrapped, 'acme');
    expect(again.open(acme.seal(SECRET, CONTEXT), CONTEXT)).toEqual(SECRET);
    expect(acme.open(again.seal(SECRET, CONTEXT), CONTEXT)).toEqual(SECRET);
    expect(again.wrapped).toBe(acme.wrapped);
  });

  test('is another one each time', async () => {
    const other = await envelope.newDataKey('acme');
    expect(other.wrapped).not.toBe(acme.wrapped);
    expect(refusal(acme.seal(SECRET, CONTEXT), CONTEXT, other).status).toBe(503);
  });

  test('does not open for another tenant', async () => {
    await expect(envelope.openDataKey(acme.wrapped, 'globex')).rejects.toMatchObject({ status: 503 });
  });

  test.each([0, 16, 31, 33, 64])(
    'is refused with %d bytes, however well they were wrapped',
    async (length) => {
      const provider = new LocalKeyProvider([M1]);
      const wrapped = await provider.wrap(Buffer.alloc(length, 1), 'acme');
      await expect(new Envelope(provider).openDataKey(wrapped, 'acme')).rejects.toMatchObject({
        code: 'store_unavailable',
        answer: { action: 'contact_operator' },
      });
    },
  );
});
