import { describe, expect, test } from '@jest/globals';
import { newRandomId, userTag } from '../../src/random-id.js';
import type { Revocation } from '../../src/revocations/change-feed.js';
import { RevocationTable } from '../../src/revocations/revocation-table.js';

const NOW_MS = 1_795_000_000_000;
const ALL_SHARDS = 256;

function revocation(at: number, more: Partial<Revocation> = {}): Revocation {
  return {
    kind: at % 3 === 0 ? 'token_revoked' : 'session_revoked',
    tenantId: `tenant-${at % 7}`,
    id: newRandomId(userTag('acme', `user-${at % 50}`)),
    expiresAtMs: NOW_MS + (at % 900) * 1000 + 1000,
    ...more,
  };
}

const sorted = (revocations: Iterable<Revocation>) =>
  [...revocations].toSorted((a, b) => (a.id < b.id ? -1 : 1));

describe('the revocation table', () => {
  test('gives back exactly what it was told, and nothing else', () => {
    const table = new RevocationTable();
    const told = Array.from({ length: 20_000 }, (_, at) => revocation(at));
    for (const one of told) table.add(one);
    expect(table.size).toBe(told.length);
    expect(told.every(({ id }) => table.has(id))).toBe(true);
    expect(sorted(table)).toEqual(sorted(told));
    const others = Array.from({ length: 20_000 }, (_, at) => revocation(at));
    expect(others.some(({ id }) => table.has(id))).toBe(false);
  });

  test('tells ids apart that differ in a single character', () => {
    const table = new RevocationTable();
    const { id } = revocation(1);
    table.add(revocation(1, { id }));
    for (let at = 4; at < 25; at++) {
      const other = id.slice(0, at) + (id[at] === 'A' ? 'B' : 'A') + id.slice(at + 1);
      expect(table.has(other)).toBe(false);
    }
  });

  test('does not know an id of another length, whatever was looked up before', () => {
    const table = new RevocationTable();
    const { id } = revocation(1);
    table.add(revocation(1, { id }));
    expect(table.has(id)).toBe(true);
    expect(table.has(id.slice(0, 10))).toBe(false);
    expect(table.has('')).toBe(false);
    expect(table.has(`${id}A`)).toBe(false);
  });

  test('keeps the longer life of two revocations of one id', () => {
    const table = new RevocationTable();
    const { id } = revocation(1);
    table.add(revocation(1, { id, expiresAtMs: NOW_MS + 60_000 }));
    table.add(revocation(1, { id, expiresAtMs: NOW_MS + 10_000 }));
    expect(table.size).toBe(1);
    table.forgetExpired(NOW_MS + 30_000, ALL_SHARDS);
    expect(table.has(id)).toBe(true);
  });

  test('forgets what has expired, gives the memory back, and keeps the rest', () => {
    const table = new RevocationTable();
    const empty = table.sizeBytes;
    const short = Array.from({ length: 10_000 }, (_, at) => revocation(at, { expiresAtMs: NOW_MS + 1000 }));
    const long = Array.from({ length: 1000 }, (_, at) => revocation(at, { expiresAtMs: NOW_MS + 900_000 }));
    for (const one of [...short, ...long]) table.add(one);
    const full = table.sizeBytes;
    table.forgetExpired(NOW_MS + 2000, ALL_SHARDS);
    expect(table.size).toBe(long.length);
    expect(long.every(({ id }) => table.has(id))).toBe(true);
    expect(short.some(({ id }) => table.has(id))).toBe(false);
    expect(table.sizeBytes).toBeLessThan(full / 2);
    table.forgetExpired(NOW_MS + 1_000_000, ALL_SHARDS);
    expect(table.size).toBe(0);
    expect(table.sizeBytes).toBe(empty);
  });

  test('visits every shard when it is asked for a few at a time', () => {
    const table = new RevocationTable();
    for (let at = 0; at < 5000; at++) table.add(revocation(at, { expiresAtMs: NOW_MS }));
    for (let visit = 0; visit < ALL_SHARDS / 2; visit++) table.forgetExpired(NOW_MS + 1000, 2);
    expect(table.size).toBe(0);
  });

  test('gives a tenant what is its own, some at a time', () => {
    const table = new RevocationTable();
    const told = Array.from({ length: 20_000 }, (_, at) => revocation(at));
    for (const one of told) table.add(one);
    const parts = [...table.of('tenant-3')];
    expect(sorted(parts.flat())).toEqual(sorted(told.filter(({ tenantId }) => tenantId === 'tenant-3')));
    expect(parts.length).toBeGreaterThan(3);
    expect(Math.max(...parts.map(({ length }) => length))).toBeLessThanOrEqual(500);
    expect([...table.of('tenant-8')].flat()).toEqual([]);
  });

  test('gives a tenant all that it had at the beginning, whatever is added and forgotten meanwhile', () => {
    const table = new RevocationTable();
    const own = Array.from({ length: 5000 }, (_, at) =>
      revocation(at, { tenantId: 'own', expiresAtMs: NOW_MS + 900_000 }),
    );
    for (const one of own) table.add(one);
    for (let at = 0; at < 5000; at++) table.add(revocation(at, { tenantId: 'own', expiresAtMs: NOW_MS }));
    const found = new Set<string>();
    for (const part of table.of('own')) {
      for (const { id } of part) found.add(id);
      for (let at = 0; at < 3000; at++) table.add(revocation(at, { tenantId: 'other' }));
      table.forgetExpired(NOW_MS + 1000, ALL_SHARDS);
    }
    expect(own.filter(({ id }) => !found.has(id))).toEqual([]);
  });
});
