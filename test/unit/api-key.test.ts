import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { issueApiKey, matches, parseApiKey, type PresentedApiKey } from '../../src/tenants/api-key.js';

const T0 = 1_800_000_000_000;
const GRANT = { name: 'checkout', scopes: ['sessions:read'], createdAtMs: T0, expiresAtMs: null } as const;
const KEY_ID = '0123456789abcdef';
const SECRET = 'ab'.repeat(32);

function presented(text: string): PresentedApiKey {
  const parsed = parseApiKey(text);
  if (!parsed) throw new Error('no key of ours looks like that');
  return parsed;
}

describe('an API key', () => {
  test.each(['acme', 'a', '0', 'a-b-', 'x'.repeat(63)])(
    'is read as it is written, for the tenant %s',
    (tenantId) => {
      expect(parseApiKey(`sk_${tenantId}_${KEY_ID}_${SECRET}`)).toEqual({
        tenantId,
        keyId: KEY_ID,
        secret: SECRET,
      });
    },
  );

  test.each([
    '',
    `sk_acme_${KEY_ID}`,
    `sk__${KEY_ID}_${SECRET}`,
    `sk_-acme_${KEY_ID}_${SECRET}`,
    `sk_Acme_${KEY_ID}_${SECRET}`,
    `sk_ac_me_${KEY_ID}_${SECRET}`,
    `sk_${'x'.repeat(64)}_${KEY_ID}_${SECRET}`,
    `sk_acme_${KEY_ID.toUpperCase()}_${SECRET}`,
    `sk_acme_${KEY_ID}_${SECRET.toUpperCase()}`,
    `sk_acme_${KEY_ID}0_${SECRET}`,
    `sk_acme_${KEY_ID}_${SECRET}0`,
    `sk_acme_${KEY_ID}_${SECRET.slice(1)}`,
    `sk_acme_${KEY_ID}_${SECRET}\n`,
    ` sk_acme_${KEY_ID}_${SECRET}`,
    `SK_acme_${KEY_ID}_${SECRET}`,
    `sk_*_${KEY_ID}_${SECRET}`,
    `sk_acme_../${KEY_ID}_${SECRET}`,
  ])('is not read from %j', (text) => {
    expect(parseApiKey(text)).toBeNull();
  });

  test('is new each time', () => {
    const issued = Array.from({ length: 100 }, () => issueApiKey('acme', GRANT));
    expect(new Set(issued.map(({ text }) => text)).size).toBe(100);
    expect(new Set(issued.map(({ apiKey }) => apiKey.keyId)).size).toBe(100);
  });

  test('keeps what was granted and only a hash of its secret', () => {
    const { apiKey, text } = issueApiKey('acme', GRANT);
    const { tenantId, keyId, secret } = presented(text);
    expect(tenantId).toBe('acme');
    expect(apiKey).toEqual({
      ...GRANT,
      keyId,
      secretHash: createHash('sha256').update(secret).digest('hex'),
    });
    expect(JSON.stringify(apiKey)).not.toContain(secret);
  });

  test('matches the text that its holder was given', () => {
    const { apiKey, text } = issueApiKey('acme', GRANT);
    expect(matches(apiKey, presented(text), T0)).toBe(true);
    expect(matches(apiKey, presented(text), T0 + 1e12)).toBe(true);
  });

  test('matches no other secret', () => {
    const { apiKey, text } = issueApiKey('acme', GRANT);
    const mine = presented(text);
    const flipped = mine.secret.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    expect(matches(apiKey, { ...mine, secret: flipped }, T0)).toBe(false);
    expect(matches(apiKey, { ...mine, secret: apiKey.secretHash }, T0)).toBe(false);
    expect(matches(apiKey, { ...mine, secret: '' }, T0)).toBe(false);
  });

  test('matches until the very millisecond in which it expires', () => {
    const { apiKey, text } = issueApiKey('acme', { ...GRANT, expiresAtMs: T0 + 5 });
    expect(matches(apiKey, presented(text), T0 + 4)).toBe(true);
    expect(matches(apiKey, presented(text), T0 + 5)).toBe(false);
  });

  test('matches nothing when there is no such key', () => {
    expect(matches(null, presented(issueApiKey('acme', GRANT).text), T0)).toBe(false);
  });
});
