/**
 * The change feed as a Redis stream. Entries are numbered, and the feed has an identity: so a reader notices when
 * entries are missing between what it read and what comes next, whether a failover lost them, the store was
 * emptied, or they were trimmed away while it was not looking.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.js';
import {
  positionId,
  type Change,
  type ChangeFeed,
  type FeedEntry,
  type FeedPosition,
  type FeedRead,
} from '../../revocations/change-feed.js';
import { parseChange } from '../../revocations/change-codec.js';
import type { Durability } from './durability.js';
import type { RedisConnection } from './redis-connection.js';
import { FEED_STATE, FEED_STREAM } from './redis-keys.js';

const PAGE = 1000;
/** How long changes that are no revocation are kept: a reader who missed more than this reads everything anew. */
const EVENT_LIFE_MS = 600_000;

/** The feed that was read from (null where nothing was ever announced), and how far. */
interface Position extends FeedPosition {
  readonly identity: string | null;
  /** The number and the stream id of the last change of ours. */
  readonly sequence: number;
  readonly lastId: string;
  /** The stream id to read on after: somebody else's entries may follow ours. */
  readonly readTo: string;
}

/**
 * How soon an acknowledged announcement must be seen by the tail. Not seen, it went to a master that was being
 * replaced, while the tail already reads from its successor: nothing else would tell.
 */
const SEEN_WITHIN_MS = 1000;

type StreamEntry = [id: string, fields: string[]];

export class RedisChangeFeed implements ChangeFeed {
  /** Own announcements that the tail has not seen yet, with the time of their acknowledgement, if they have one. */
  private readonly unseen = new Map<string, number | null>();

  /**
   * @param redis for announcements
   * @param tail for reads, which block
   */
  constructor(
    private readonly redis: RedisConnection,
    private readonly tail: RedisConnection,
    private readonly durability: Durability,
    private readonly clock: Clock,
  ) {}

  async announce(changes: readonly Change[]): Promise<void> {
    const nowMs = this.clock.nowMs();
    const lives = changes.map((change) =>
      'expiresAtMs' in change ? change.expiresAtMs - nowMs : EVENT_LIFE_MS,
    );
    const documents = changes.map((change) => JSON.stringify(change));
    for (const document of documents) this.unseen.set(document, null);
    try {
      await this.redis.script(
        'announce-changes',
        [FEED_STREAM, FEED_STATE],
        [randomUUID(), Math.max(...lives, EVENT_LIFE_MS), ...documents],
      );
      await this.durability.barrier(FEED_STREAM);
    } catch (error) {
      for (const document of documents) this.unseen.delete(document);
      throw error;
    }
    const acknowledgedAtMs = performance.now();
    for (const document of documents) {
      if (this.unseen.has(document)) this.unseen.set(document, acknowledgedAtMs);
    }
  }

  async readWhole(take: (entries: readonly FeedEntry[]) => void): Promise<FeedPosition> {
    let position = await this.begin();
    let from = '-';
    for (;;) {
      const page = await this.tail.run('read-feed', (client) =>
        client.xrange(FEED_STREAM, from, '+', 'COUNT', PAGE),
      );
      take(page.map((entry) => this.toEntry(entry, nameOf(position.identity, numberOf(entry), entry[0]))));
      // What was announced since the state was read has the numbers after it.
      for (const entry of page) {
        if (numberOf(entry) === position.sequence + 1) position = after(position, entry);
      }
      const last = page.at(-1);
      if (last) from = `(${last[0]}`;
      position = { ...position, readTo: last?.[0] ?? position.readTo };
      if (page.length < PAGE) return position;
    }
  }

  /** The state is asked for before the entries: all that it counts must be among them. */
  async readAfter(from: FeedPosition, waitMs: number): Promise<FeedRead> {
    const position = from as Position;
    if (this.hasLost()) return { broken: 'gap' };
    const place = ['STREAMS', FEED_STREAM, position.readTo] as const;
    const [state, streams] = await this.tail.pipeline('tail-feed', (pipeline) => {
      const asked = pipeline.hmget(FEED_STATE, 'identity', 'sequence', 'last_id');
      // To Redis 0 would mean for ever.
      if (waitMs === 0) return asked.xread('COUNT', PAGE, ...place);
      return asked.xread('COUNT', PAGE, 'BLOCK', waitMs, ...place);
    });
    const entries = (streams as [string, StreamEntry[]][] | null)?.[0]?.[1] ?? [];
    return this.continued(position, toPosition(state as (string | null)[]), entries);
  }

  private continued(position: Position, state: Position, entries: readonly StreamEntry[]): FeedRead {
    // A feed that did not exist yet when it was first read gets its identity with its first entry.
    const isKnown = position.identity !== null;
    if (isKnown && state.identity !== position.identity) return { broken: 'replaced' };
    if (state.sequence < position.sequence) return { broken: 'went_backwards' };
    if (state.sequence === position.sequence && state.lastId !== position.lastId) {
      return { broken: 'went_backwards' };
    }
    if (state.sequence > position.sequence && entries.length === 0) return { broken: 'gap' };
    let next = at({ ...position, identity: state.identity ?? position.identity });
    const read: FeedEntry[] = [];
    for (const entry of entries) {
      const number = numberOf(entry);
      if (number !== null && (number !== next.sequence + 1 || entry[1][5] !== next.lastId)) {
        return { broken: 'gap' };
      }
      next = { ...(number === null ? next : after(next, entry)), readTo: entry[0] };
      read.push(this.toEntry(entry, number === null ? null : next.id));
    }
    return { entries: read, position: next satisfies Position };
  }

  private hasLost(): boolean {
    const latestMs = performance.now() - SEEN_WITHIN_MS;
    const lost = [...this.unseen].filter(([, acknowledgedAtMs]) => (acknowledgedAtMs ?? Infinity) < latestMs);
    // Reading everything anew finds whatever of them is missing.
    for (const [document] of lost) this.unseen.delete(document);
    return lost.length > 0;
  }

  /** Also an empty feed has an identity: or a store that was emptied before anything was announced would look alike. */
  private async begin(): Promise<Position> {
    const [, state] = await this.tail.run('begin-feed', (client) =>
      Promise.all([
        client.hsetnx(FEED_STATE, 'identity', randomUUID()).catch(() => 0), // a store that only reads can be read
        client.hmget(FEED_STATE, 'identity', 'sequence', 'last_id'),
      ]),
    );
    return toPosition(state);
  }

  private toEntry([id, fields]: StreamEntry, positionId: string | null): FeedEntry {
    const announcedAtMs = Number(id.slice(0, id.indexOf('-')));
    const document = fields[2] === 'c' ? fields[3] : undefined;
    this.unseen.delete(document ?? '');
    return {
      change: parseChange(document),
      delayMs: this.redis.serverTimeMs() - announcedAtMs,
      positionId,
    };
  }
}

/** @returns null for an entry that we did not write */
function numberOf([, fields]: StreamEntry): number | null {
  const text = fields[0] === 'n' ? fields[1] : undefined;
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** @returns the position with this entry as the last change of ours */
function after(position: Position, [id]: StreamEntry): Position {
  return at({ ...position, sequence: position.sequence + 1, lastId: id });
}

/** @returns the position under the name that it has now */
function at(position: Omit<Position, 'id'>): Position {
  return { ...position, id: nameOf(position.identity, position.sequence, position.lastId) ?? '' };
}

/** The feed's identity is random and told to nobody. @returns null where there is no number */
function nameOf(identity: string | null, sequence: number | null, lastId: string): string | null {
  return sequence === null ? null : positionId(identity ?? '', sequence, lastId);
}

function toPosition([identity, sequence, id]: readonly (string | null)[]): Position {
  const lastId = id ?? '0-0';
  return at({ identity: identity ?? null, sequence: Number(sequence ?? 0), lastId, readTo: lastId });
}
