import { describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../src/config.js';
import { FailedAuthentications, sourceOf } from '../../src/tenants/failed-authentications.js';
import { TurnableClock } from '../support/turnable-clock.js';
import { testEnvironment } from '../support/test-service.js';

function limited(perSecond: string): { failures: FailedAuthentications; clock: TurnableClock } {
  const clock = new TurnableClock();
  const config = parseConfig({ ...testEnvironment(), RATE_LIMIT_FAILED_AUTH_PER_SECOND: perSecond });
  return { failures: new FailedAuthentications(config, clock), clock };
}

describe('failed authentications', () => {
  test('of one address are too many after a burst, and are few again later', () => {
    const { failures, clock } = limited('5');
    for (let n = 0; n < 10; n++) expect(failures.count('192.0.2.1')).toBeNull();
    expect(failures.count('192.0.2.1')).toBe(1);
    clock.advanceSeconds(1);
    for (let n = 0; n < 5; n++) expect(failures.count('192.0.2.1')).toBeNull();
    expect(failures.count('192.0.2.1')).toBe(1);
  });

  test('of other addresses are their own affair', () => {
    const { failures } = limited('1');
    while (failures.count('192.0.2.1') === null);
    expect(failures.count('192.0.2.2')).toBeNull();
  });

  test('are not limited with 0', () => {
    const { failures } = limited('0');
    for (let n = 0; n < 1000; n++) expect(failures.count('192.0.2.1')).toBeNull();
  });

  test('of more addresses than are remembered take no more memory: the oldest begin anew', () => {
    const { failures } = limited('1');
    while (failures.count('192.0.2.1') === null);
    for (let n = 0; n < 10_000; n++) failures.count(`10.0.${n >> 8}.${n & 255}`);
    expect(failures.count('192.0.2.1')).toBeNull();
  });
});

describe('the source of an address', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['no address', 'no address'],
  ])('%s is %s', (address, source) => {
    expect(sourceOf(address)).toBe(source);
  });
});
