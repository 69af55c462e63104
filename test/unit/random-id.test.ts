import { describe, expect, test } from '@jest/globals';
import { isRandomId, newRandomId, tagOf, userTag } from '../../src/random-id.js';

describe('a random id', () => {
  test('is new each time, and recognised', () => {
    const ids = Array.from({ length: 1000 }, () => newRandomId(userTag('acme', 'alice')));
    expect(new Set(ids).size).toBe(1000);
    expect(ids.every(isRandomId)).toBe(true);
  });

  test('begins with the tag of its tenant and user, and says nothing else of them', () => {
    const id = newRandomId(userTag('acme', 'alice'));
    expect(tagOf(id)).toBe(userTag('acme', 'alice'));
    expect(tagOf(id)).toMatch(/^[A-Za-z0-9_-]{4}$/);
  });

  test('has a tag that stays the same for ever: records are found by it', () => {
    expect(userTag('acme', 'alice')).toBe('3qTq');
    expect(userTag('acme', '用户 {*}')).toBe('SYXu');
  });

  test('has a tag that tells tenants and users apart', () => {
    const tags = [
      ['acme', 'alice'],
      ['acme', 'bob'],
      ['globex', 'alice'],
      ['acm', 'ealice'],
    ] as const;
    expect(new Set(tags.map(([tenantId, userId]) => userTag(tenantId, userId))).size).toBe(tags.length);
  });

  test('spreads the users of one tenant', () => {
    const tags = Array.from({ length: 10_000 }, (_, n) => userTag('acme', `user-${n}`));
    expect(new Set(tags).size).toBeGreaterThan(9_950);
  });

  test.each([
    '',
    'a'.repeat(25),
    'a'.repeat(27),
    `${'a'.repeat(25)}\n`,
    `${'a'.repeat(26)}\n`,
    `${'a'.repeat(25)}:`,
    `${'a'.repeat(25)}}`,
    `${'a'.repeat(25)}é`,
    `${'a'.repeat(25)}=`,
    '*'.repeat(26),
  ])('is not anything else: %j', (text) => {
    expect(isRandomId(text)).toBe(false);
  });
});
