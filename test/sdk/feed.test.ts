/** What a verifier keeps of the feed: an instance that lags, a replica without room, words that come late. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { RevocationReplica } from '../../sdk/src/revocation-replica.js';
import { RevocationFeed } from '../../sdk/src/revocation-feed.js';
import { Transport, type Fetch } from '../../sdk/src/transport.js';
import { eventually } from '../support/eventually.js';

describe('a replica', () => {
  test('forgets in the minute after a token that was revoked could be alive, with a minute to spare', () => {
    const replica = new RevocationReplica(10);
    replica.add({ id: 'a', expiresAtSeconds: 1000 });
    replica.add({ id: 'b', expiresAtSeconds: 5000 });
    replica.forgetExpired(1059);
    expect(replica.has('a')).toBe(true);
    replica.forgetExpired(1121);
    expect([replica.has('a'), replica.has('b'), replica.size]).toEqual([false, true, 1]);
  });

  test('goes by the longer-lived of two revocations of one id', () => {
    for (const order of [
      [1000, 5000],
      [5000, 1000],
    ]) {
      const replica = new RevocationReplica(10);
      for (const expiresAtSeconds of order) replica.add({ id: 'a', expiresAtSeconds });
      replica.forgetExpired(2000);
      expect(replica.has('a')).toBe(true);
      replica.forgetExpired(6000);
      expect(replica.has('a')).toBe(false);
    }
  });

  test('says so when something has had no room', () => {
    const replica = new RevocationReplica(2);
    for (const id of ['a', 'b', 'b']) replica.add({ id, expiresAtSeconds: 1 });
    expect(replica.isWhole).toBe(true);
    replica.add({ id: 'c', expiresAtSeconds: 1 });
    expect([replica.isWhole, replica.has('c'), replica.has('a')]).toEqual([false, false, true]);
  });
});

describe('a feed', () => {
  let speak: (event: string, data: object, id?: string) => void;
  let hangUp: () => void;
  let connections: { lastEventId: string | null }[];
  let feed: RevocationFeed;
  let keys: (readonly string[])[];

  /** A service that says what the test lets it say. */
  const fetch: Fetch = async (_, init) => {
    connections.push({ lastEventId: new Headers(init?.headers).get('last-event-id') });
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const write = (text: string) => controller.enqueue(Buffer.from(text));
        speak = (event, data, id) =>
          write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
        hangUp = () => controller.close();
        init?.signal?.addEventListener('abort', () => controller.error(init.signal?.reason));
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };

  const start = async (maxEntries = 100): Promise<void> => {
    const listener = {
      heard: () => undefined,
      keys: (kids: ReadonlySet<string>) => void keys.push([...kids]),
      failed: () => undefined,
    };
    const transport = new Transport({ url: 'https://sessions.test', fetch });
    feed = new RevocationFeed(transport, '/tenants/test/revocations', maxEntries, listener, Date.now);
    await eventually(() => connections.length === 1);
  };

  const snapshot = (kids: string[], ids: string[], complete = true): void =>
    speak('snapshot', { kids, revocations: revoked(ids), complete }, complete ? 'one' : undefined);
  const revoked = (ids: string[]) => ids.map((id) => ({ id, kind: 'session', expires_at: 9_999_999_999 }));
  const again = async (): Promise<void> => {
    const before = connections.length;
    hangUp();
    await eventually(() => connections.length > before);
  };

  beforeEach(() => {
    connections = [];
    keys = [];
  });

  afterEach(() => {
    feed.close();
  });

  test('knows nothing until a snapshot is whole, and then how old it is', async () => {
    await start();
    snapshot(['k1'], ['a'], false);
    await eventually(() => feed.has('a'));
    expect([feed.isWhole, feed.ageMs()]).toEqual([false, Number.POSITIVE_INFINITY]);
    snapshot(['k1'], ['b']);
    await eventually(() => feed.isWhole);
    expect([feed.has('a'), feed.has('b'), feed.size]).toEqual([true, true, 2]);
    expect(feed.ageMs()).toBe(Number.POSITIVE_INFINITY);
    speak('age', { age_ms: 40_000 });
    await eventually(() => feed.ageMs() < Number.POSITIVE_INFINITY);
    expect(feed.ageMs()).toBeGreaterThanOrEqual(40_000);
  });

  test('goes on where it stopped, and forgets nothing that an instance which lags has not heard of', async () => {
    await start();
    snapshot(['k1', 'k2'], ['a']);
    speak('age', { age_ms: 0 });
    speak('revoked', { revocations: revoked(['b']) }, 'two');
    speak('keys', { kids: ['k2'] }, 'three');
    await eventually(() => feed.kids?.has('k1') === false);
    speak('age', { age_ms: 0 });
    const knownAsOf = await eventually(() => feed.asOfMs, Number.isFinite);
    await again();
    expect(connections[1]).toEqual({ lastEventId: 'three' });
    // This one has heard of neither the killed key nor the last revocation, and says how far behind it is.
    snapshot(['k1', 'k2'], ['a']);
    speak('age', { age_ms: 60_000 });
    speak('revoked', { revocations: revoked(['c']) }, 'four');
    await eventually(() => feed.has('c'));
    expect([feed.has('b'), feed.kids?.has('k1')]).toEqual([true, false]);
    expect(feed.asOfMs).toBeGreaterThanOrEqual(knownAsOf);
    // Once it has caught up it counts.
    speak('keys', { kids: ['k2', 'k3'] }, 'five');
    speak('age', { age_ms: 0 });
    await eventually(() => feed.kids?.has('k3') === true);
    expect(feed.kids?.has('k1')).toBe(false);
  });

  test('without room for all is not whole, and is read anew once there is room', async () => {
    await start(2);
    const soon = Date.now() / 1000 - 59;
    const shortLived = ['a', 'b'].map((id) => ({ id, kind: 'session', expires_at: soon }));
    speak(
      'snapshot',
      { kids: ['k1'], revocations: [...shortLived, ...revoked(['c'])], complete: true },
      'one',
    );
    speak('age', { age_ms: 0 });
    await eventually(() => feed.has('a') && feed.ageMs() < Number.POSITIVE_INFINITY);
    expect([feed.isWhole, feed.has('c')]).toEqual([false, false]);
    await again();
    // Not after the last id: what had no room would never come.
    expect(connections[1]).toEqual({ lastEventId: null });
    snapshot(['k1'], ['c'], false);
    speak('revoked', { revocations: revoked(['d']) });
    await eventually(() => feed.has('a'));
    snapshot(['k1'], []);
    await eventually(() => feed.isWhole);
    expect([feed.has('a'), feed.has('c'), feed.has('d')]).toEqual([false, true, true]);
  });

  test('is not whole either when room runs out in the middle of a snapshot', async () => {
    await start(3);
    snapshot(['k1'], ['a', 'b'], false);
    snapshot(['k1'], ['c', 'd'], false);
    snapshot(['k1'], ['e']);
    speak('age', { age_ms: 0 });
    await eventually(() => feed.ageMs() < Number.POSITIVE_INFINITY);
    expect([feed.isWhole, feed.has('a'), feed.has('e')]).toEqual([false, true, false]);
  });

  test('that is read anew hears a snapshot of several parts to its end', async () => {
    await start(2);
    const over = ['a', 'b'].map((id) => ({ id, kind: 'session', expires_at: 1000 }));
    speak('snapshot', { kids: ['k1'], revocations: [...over, ...revoked(['c'])], complete: true }, 'one');
    await eventually(() => feed.has('b'));
    feed['replica'].forgetExpired(2000);
    speak('age', { age_ms: 0 });
    await eventually(() => connections.length === 2);
    snapshot(['k1'], ['c'], false);
    snapshot(['k1'], ['d']);
    await eventually(() => feed.isWhole);
    expect([feed.has('c'), feed.has('d'), connections.length]).toEqual([true, true, 2]);
  });

  test('comes back after nonsense, and after a word that it does not know', async () => {
    await start();
    speak('news', { from: 'the future' });
    snapshot(['k1'], ['a']);
    await eventually(() => feed.isWhole);
    speak('revoked', [] as never);
    await eventually(() => connections.length === 2);
    expect(feed.has('a')).toBe(true);
    speak('age', { age_ms: 'young' });
    speak('age', { age_ms: -1 });
    speak('keys', { kids: 'k1' });
    speak('revoked', { revocations: [{ id: 7, expires_at: 'x' }, ...revoked(['b'])] });
    await eventually(() => feed.has('b'));
    expect(feed.ageMs()).toBe(Number.POSITIVE_INFINITY);
    expect(feed.size).toBe(2);
  });
});
