import { expect, test } from '@jest/globals';
import { positionId } from '../../src/revocations/change-feed.js';

test('a position has the same name in every version: readers go on from it at an instance of another one', () => {
  expect(positionId('secret', 7, '1764340000000-0')).toBe('U0NmUpJ_ttn31ZwhIQQ-HA');
});
