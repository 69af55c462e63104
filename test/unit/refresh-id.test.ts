import { describe, expect, test } from '@jest/globals';
import { firstRefreshId, isAhead, nextRefreshId } from '../../src/sessions/refresh-id.js';

describe('refresh ids', () => {
  test('begin a lineage of their own', () => {
    expect(firstRefreshId()).toMatch(/^[0-9a-f-]{36}_0$/);
    expect(firstRefreshId()).not.toBe(firstRefreshId());
  });

  test('have a successor that follows from them, and is ahead of them', () => {
    let id = firstRefreshId();
    for (let n = 1; n <= 12; n++) {
      const next = nextRefreshId(id);
      expect(next).toBe(id.replace(/\d+$/, String(n)));
      expect(isAhead(next, id)).toBe(true);
      expect(isAhead(id, next)).toBe(false);
      id = next;
    }
  });

  test.each([
    ['a_2', 'a_2'],
    ['a_1', 'a_2'],
    ['b_3', 'a_2'],
    ['a', 'a_2'],
    ['a_3', 'a'],
    ['a_x', 'a_2'],
  ])('do not find %s ahead of %s', (id, than) => {
    expect(isAhead(id, than)).toBe(false);
  });
});
