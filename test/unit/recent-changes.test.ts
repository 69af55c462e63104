import { describe, expect, test } from '@jest/globals';
import type { Change } from '../../src/revocations/change-feed.js';
import { RecentChanges } from '../../src/revocations/recent-changes.js';

const change = (tenantId: string): Change => ({ kind: 'keys_changed', tenantId });
const entry = (at: number, tenantId = 'acme') => ({ change: change(tenantId), positionId: `p${at}` });

describe('recent changes', () => {
  test('are told to whoever has heard of an earlier one, of its tenant alone', () => {
    const recent = new RecentChanges();
    recent.add([entry(1), entry(2, 'bravo'), entry(3), entry(4, 'bravo')]);
    expect(recent.since('p1', 'acme')).toEqual([change('acme')]);
    expect(recent.since('p1', 'bravo')).toEqual([change('bravo'), change('bravo')]);
    expect(recent.since('p4', 'bravo')).toEqual([]);
    expect(recent.since('elsewhere', 'acme')).toBeNull();
  });

  test('begin with a position that has nothing before it', () => {
    const recent = new RecentChanges();
    recent.standAt('start');
    expect(recent.since('start', 'acme')).toEqual([]);
    recent.add([entry(1)]);
    expect(recent.since('start', 'acme')).toEqual([change('acme')]);
    recent.standAt('p1');
    expect(recent.since('start', 'acme')).toHaveLength(1);
  });

  test('are kept up to their bound: what is older is not known, rather than known in part', () => {
    const recent = new RecentChanges(10);
    for (let at = 0; at < 25; at++) recent.add([entry(at)]);
    expect(recent.since('p14', 'acme')).toBeNull();
    expect(recent.since('p15', 'acme')).toHaveLength(9);
    expect(recent.since('p24', 'acme')).toEqual([]);
  });

  test('pass over what could not be understood, and what another version put between', () => {
    const recent = new RecentChanges();
    recent.add([entry(1), { change: null, positionId: 'p2' }, { change: null, positionId: null }, entry(3)]);
    expect(recent.since('p1', 'acme')).toEqual([change('acme')]);
    expect(recent.since('p2', 'acme')).toEqual([change('acme')]);
  });
});
