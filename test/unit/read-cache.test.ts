import { describe, expect, test } from '@jest/globals';
import { AppError } from '../../src/errors.js';
import { ReadCache } from '../../src/read-cache.js';

interface Value {
  readonly of: string;
}

/** A store whose reads end when the test says so. */
class SlowStore {
  readonly reads: { key: string; answer: (value: Value | null) => void; fail: (error: Error) => void }[] = [];
  readonly cache: ReadCache<Value>;

  /** Whether its owner hears of changes. */
  isCurrent = true;

  constructor({ maxEntries = 10 } = {}) {
    const load = (key: string): Promise<Value | null> =>
      new Promise((answer, fail) => this.reads.push({ key, answer, fail }));
    this.cache = new ReadCache<Value>({ maxEntries, isCurrent: () => this.isCurrent, load });
  }

  answer(at: number, value: Value | null): void {
    this.reads[at]?.answer(value);
  }

  /** Reads once and answers. */
  async filled(key: string, value: Value | null = { of: key }): Promise<void> {
    const read = this.cache.get(key);
    this.reads.at(-1)?.answer(value);
    await read;
  }
}

const OLD = { of: 'old' };
const NEW = { of: 'new' };

/** A store whose cache has an answer, and no longer hears of changes. */
async function stale(): Promise<SlowStore> {
  const store = new SlowStore();
  await store.filled('a', OLD);
  store.isCurrent = false;
  return store;
}

describe('a read cache', () => {
  test('asks the store once and then answers from memory', async () => {
    const store = new SlowStore();
    await store.filled('a', OLD);
    expect(await store.cache.get('a')).toBe(OLD);
    expect(store.reads).toHaveLength(1);
  });

  test('lets simultaneous calls for one key share one read', async () => {
    const store = new SlowStore();
    const calls = [store.cache.get('a'), store.cache.get('a'), store.cache.get('b')];
    expect(store.reads.map(({ key }) => key)).toEqual(['a', 'b']);
    store.answer(0, OLD);
    store.answer(1, NEW);
    expect(await Promise.all(calls)).toEqual([OLD, OLD, NEW]);
  });

  test('asks again after an invalidation, for that key only', async () => {
    const store = new SlowStore();
    await store.filled('a', OLD);
    await store.filled('b');
    store.cache.invalidate('a');
    await store.filled('a', NEW);
    expect(await store.cache.get('a')).toBe(NEW);
    expect(await store.cache.get('b')).toEqual({ of: 'b' });
    expect(store.reads).toHaveLength(3);
  });

  test('does not keep what was invalidated while it was being read', async () => {
    const store = new SlowStore();
    const early = store.cache.get('a');
    store.cache.invalidate('a');
    store.answer(0, OLD);
    expect(await early).toBe(OLD);
    const late = store.cache.get('a');
    expect(store.reads).toHaveLength(2);
    store.answer(1, NEW);
    expect(await late).toBe(NEW);
  });

  test('hands nobody an old read who asked after the invalidation', async () => {
    const store = new SlowStore();
    const early = store.cache.get('a');
    store.cache.invalidate('a');
    const late = store.cache.get('a');
    expect(store.reads).toHaveLength(2);
    store.answer(1, NEW);
    expect(await late).toBe(NEW);
    store.answer(0, OLD);
    expect(await early).toBe(OLD);
    expect(await store.cache.get('a')).toBe(NEW);
  });

  test('keeps the later read when the old one, invalidated, fails or ends first', async () => {
    const store = new SlowStore();
    const early = store.cache.get('a');
    store.cache.invalidate('a');
    const late = store.cache.get('a');
    store.reads[0]?.fail(new Error('gone'));
    await expect(early).rejects.toThrow('gone');
    const joined = store.cache.get('a');
    expect(store.reads).toHaveLength(2);
    store.answer(1, NEW);
    expect(await Promise.all([late, joined])).toEqual([NEW, NEW]);
  });

  test('does not keep a failure, and tells it to all who waited', async () => {
    const store = new SlowStore();
    const calls = [store.cache.get('a'), store.cache.get('a')];
    store.reads[0]?.fail(new Error('down'));
    for (const call of calls) await expect(call).rejects.toThrow('down');
    await store.filled('a', NEW);
    expect(await store.cache.get('a')).toBe(NEW);
    expect(store.reads).toHaveLength(2);
  });

  test('does not keep absence', async () => {
    const store = new SlowStore();
    await store.filled('a', null);
    await store.filled('a', NEW);
    expect(await store.cache.get('a')).toBe(NEW);
    expect(store.reads).toHaveLength(2);
  });

  test('is bounded: the key that was not used for longest goes first', async () => {
    const store = new SlowStore({ maxEntries: 2 });
    await store.filled('a');
    await store.filled('b');
    await store.cache.get('a');
    await store.filled('c');
    await store.cache.get('a');
    expect(store.reads).toHaveLength(3);
    await store.filled('b');
    expect(store.reads.map(({ key }) => key)).toEqual(['a', 'b', 'c', 'b']);
  });

  test('asks for everything again after changes may have been missed', async () => {
    const store = new SlowStore();
    await store.filled('a', OLD);
    await store.filled('b');
    store.cache.invalidateAll();
    await store.filled('a', NEW);
    await store.filled('b');
    expect(store.reads.map(({ key }) => key)).toEqual(['a', 'b', 'a', 'b']);
    expect(await store.cache.get('a')).toBe(NEW);
    expect(store.reads).toHaveLength(4);
  });

  test('does not keep what was being read when changes may have been missed', async () => {
    const store = new SlowStore();
    const early = store.cache.get('a');
    store.cache.invalidateAll();
    store.answer(0, OLD);
    expect(await early).toBe(OLD);
    await store.filled('a', NEW);
    expect(await store.cache.get('a')).toBe(NEW);
    expect(store.reads).toHaveLength(2);
  });

  describe('while its owner hears of no changes', () => {
    test('asks the store each time, although it has an answer', async () => {
      const store = await stale();
      const first = store.cache.get('a');
      store.answer(1, NEW);
      expect(await first).toBe(NEW);
      await store.filled('a', OLD);
      expect(store.reads).toHaveLength(3);
    });

    test('serves what it has when the store does not answer', async () => {
      const store = await stale();
      const call = store.cache.get('a');
      store.reads[1]?.fail(new AppError('store_unavailable'));
      expect(await call).toBe(OLD);
    });

    test('serves from memory again once changes are heard of', async () => {
      const store = await stale();
      const call = store.cache.get('a');
      store.answer(1, NEW);
      await call;
      store.isCurrent = true;
      expect(await store.cache.get('a')).toBe(NEW);
      expect(store.reads).toHaveLength(2);
    });

    test('hides no failure that is not an outage', async () => {
      const store = await stale();
      const call = store.cache.get('a');
      store.reads[1]?.fail(new AppError('internal_error'));
      await expect(call).rejects.toMatchObject({ code: 'internal_error' });
    });

    test('has nothing to serve for what was deleted, never there, or invalidated', async () => {
      const store = await stale();
      await store.filled('a', null);
      await store.filled('b', null);
      for (const key of ['a', 'b']) {
        const call = store.cache.get(key);
        store.reads.at(-1)?.fail(new AppError('store_unavailable'));
        await expect(call).rejects.toMatchObject({ code: 'store_unavailable' });
      }
      await store.filled('c');
      store.cache.invalidate('c');
      const call = store.cache.get('c');
      store.reads.at(-1)?.fail(new AppError('store_unavailable'));
      await expect(call).rejects.toMatchObject({ code: 'store_unavailable' });
    });

    test('serves what it had before changes were missed, as long as the store does not answer', async () => {
      const store = await stale();
      store.isCurrent = true;
      store.cache.invalidateAll();
      const during = store.cache.get('a');
      store.reads[1]?.fail(new AppError('store_unavailable'));
      expect(await during).toBe(OLD);
      await store.filled('a', NEW);
      expect(await store.cache.get('a')).toBe(NEW);
    });
  });

  test('lets nobody mistake names of objects for keys that are kept', async () => {
    const store = new SlowStore();
    for (const key of ['__proto__', 'constructor', '']) {
      await store.filled(key);
      expect(await store.cache.get(key)).toEqual({ of: key });
    }
  });
});
