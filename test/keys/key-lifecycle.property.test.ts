/** Whatever is done to a ring, in whatever order and at whatever times: what must hold at every moment. */
import { describe, expect, test } from '@jest/globals';
import {
  activateNext,
  activeKey,
  isFull,
  killKey,
  needsSuccessor,
  nextEpoch,
  nextKey,
  publishNext,
  PUBLISH_LEAD_MS,
  rotationDue,
  stateOf,
  type KeyRing,
} from '../../src/keys/key-ring.js';
import { Random } from '../contract/random.js';
import { DAY, firstRing, HOUR, MINUTE, named, SECOND, T0 } from './key-names.js';

const SEQUENCES = 300;
const STEPS = 80;
const TURNS = [
  0,
  0,
  1,
  SECOND,
  MINUTE,
  PUBLISH_LEAD_MS - 1,
  PUBLISH_LEAD_MS,
  HOUR,
  12 * HOUR,
  DAY - 1,
  DAY,
  40 * DAY,
];
/** Lives of access tokens, up to the longest that may be configured. */
const LIVES = [SECOND, 15 * MINUTE, HOUR, DAY];
const REFRESH_LIVES = [MINUTE, 30 * DAY, 365 * DAY];
/** How many killed keys a ring remembers; what older ones signed is refused as of an unknown key. */
const REMEMBERED = 16;

interface Token {
  readonly kid: string;
  readonly epoch: number;
  readonly expiresAtMs: number;
  readonly signedAtMs: number;
}

/** A ring under way, every token that it signed, and what is known to have been killed. */
class Life {
  ring: KeyRing = firstRing();
  nowMs = T0;
  readonly story: string[] = [];
  readonly seen = new Set<string>();
  private access: Token[] = [];
  private refresh: Token[] = [];
  /** In the order of their killing. */
  private readonly killed: string[] = [];
  /** When each kid was first published. */
  private readonly publishedAtMs = new Map<string, number>([['s-1', T0]]);
  private impatient = new Set<string>(['s-1']);
  private made = 1;

  constructor(private readonly random: Random) {}

  step(): void {
    this.nowMs += this.random.pick(TURNS);
    const doings = [this.rotate, this.rotateNow, this.kill, this.kill, this.automatic, this.automatic];
    const doing = this.random.pick([...doings, this.nothing, this.nothing, this.nothing]);
    const what = this.random.below(12) === 0 ? this.revokeAll() : doing.call(this);
    this.seen.add(what);
    this.story.push(`T0 + ${this.nowMs - T0}: ${what}`);
    for (const { kid } of this.ring.signingKeys) {
      if (!this.publishedAtMs.has(kid)) this.publishedAtMs.set(kid, this.nowMs);
    }
    this.sign();
    this.check();
  }

  private nothing(): string {
    return 'nothing';
  }

  private rotate(): string {
    if (nextKey(this.ring.signingKeys, this.ring.epoch, this.nowMs)) return 'rotate again';
    if (isFull(this.ring, this.nowMs)) return 'full';
    return this.publish('rotate', this.nowMs + PUBLISH_LEAD_MS);
  }

  private rotateNow(): string {
    const next = nextKey(this.ring.signingKeys, this.ring.epoch, this.nowMs);
    if (next) this.impatient.add(next.kid);
    const activated = activateNext(this.ring, this.nowMs);
    if (activated) this.ring = activated;
    else if (isFull(this.ring, this.nowMs)) return 'full';
    else {
      this.impatient.add(`s-${this.made + 1}`);
      this.publish('', this.nowMs);
    }
    return activated ? 'activate' : 'rotate now';
  }

  private automatic(): string {
    const due = rotationDue(this.ring, { rotationMs: this.random.pick([1, 90]) * DAY, nowMs: this.nowMs });
    if (!due) return 'not due';
    return isFull(this.ring, this.nowMs) ? 'full' : this.publish('automatic', due.activatesAtMs);
  }

  private publish(what: string, activatesAtMs: number): string {
    this.ring = publishNext(this.ring, named(String(++this.made)), { activatesAtMs, nowMs: this.nowMs });
    return what;
  }

  private kill(): string {
    const { kid } = this.random.pick(this.ring.signingKeys);
    const before = this.ring.signingKeys.find((key) => key.kid === kid);
    const state = before ? stateOf(before, this.ring.epoch, this.nowMs) : 'gone';
    const alone = needsSuccessor(this.ring, kid, this.nowMs);
    const next = nextKey(this.ring.signingKeys, this.ring.epoch, this.nowMs);
    const after = killKey(this.ring, kid, alone ? named(String(++this.made)) : null, this.nowMs);
    if (!after) return `kill nothing`;
    if (state === 'active') this.impatient.add(next?.kid ?? `s-${this.made}`);
    this.killed.push(kid);
    this.ring = after;
    return `kill ${state}${state === 'active' && next ? ' with next' : ''}`;
  }

  private revokeAll(): string {
    this.ring = nextEpoch(this.ring, named(String(++this.made)), this.nowMs);
    this.impatient.add(`s-${this.made}`);
    return 'revoke all';
  }

  /** One token of each kind under the keys that sign now. */
  private sign(): void {
    const { ring, nowMs } = this;
    const active = activeKey(ring.signingKeys, ring.epoch, nowMs);
    const secret = activeKey(ring.refreshSecrets, ring.epoch, nowMs);
    const token = (kid: string, lifeMs: number): Token => ({
      kid,
      epoch: ring.epoch,
      signedAtMs: nowMs,
      expiresAtMs: nowMs + lifeMs,
    });
    if (active) this.access.push(token(active.kid, this.random.pick(LIVES)));
    if (secret) this.refresh.push(token(secret.kid, this.random.pick(REFRESH_LIVES)));
  }

  private check(): void {
    const { ring, nowMs } = this;
    const state = (key: KeyRing['signingKeys'][number] | KeyRing['refreshSecrets'][number] | undefined) =>
      key ? stateOf(key, ring.epoch, nowMs) : 'gone';
    const inState = (wanted: string) => ring.signingKeys.filter((key) => state(key) === wanted);
    const signing = inState('active');
    this.must(signing.length === 1, `${signing.length} keys sign`);
    this.must(inState('next').length <= 1, 'two keys are next');
    const secrets = ring.refreshSecrets.filter((key) => state(key) === 'active');
    this.must(secrets.length === 1, `${secrets.length} secrets sign`);

    const [kid = ''] = signing.map((key) => key.kid);
    const knownForMs = nowMs - (this.publishedAtMs.get(kid) ?? 0);
    const known = this.impatient.has(kid) || knownForMs >= PUBLISH_LEAD_MS;
    this.must(known, `${kid} signs before every cache of the JWKS knows it, and nobody was in a hurry`);

    this.checkAccess((of) => state(ring.signingKeys.find((key) => key.kid === of)));
    this.checkRefresh((of) => state(ring.refreshSecrets.find((key) => key.kid === of)));

    const dead = inState('revoked');
    this.must(
      dead.every((key) => key.sealedPrivateKey === null),
      'a private key outlives its killing',
    );
    this.must(ring.signingKeys.length <= 120 && ring.refreshSecrets.length <= 40, 'the ring has no bound');
    const names = [...ring.signingKeys, ...ring.refreshSecrets].map((key) => key.kid);
    this.must(new Set(names).size === names.length, 'a kid is there twice');
  }

  private checkAccess(stateOfKid: (kid: string) => string): void {
    const recentlyKilled = new Set(this.killed.slice(-REMEMBERED));
    this.access = this.access.filter((token) => this.nowMs < token.expiresAtMs);
    for (const { kid, epoch } of this.access) {
      const state = stateOfKid(kid);
      const isGood = epoch === this.ring.epoch && !this.killed.includes(kid);
      const published = ['next', 'active', 'retired'].includes(state);
      this.must(published === isGood, `a ${isGood ? 'good' : 'revoked'} token's key ${kid} is ${state}`);
      const remembered = epoch === this.ring.epoch && recentlyKilled.has(kid);
      this.must(!remembered || state === 'revoked', `${kid} was killed and is ${state}`);
    }
  }

  private checkRefresh(stateOfKid: (kid: string) => string): void {
    this.refresh = this.refresh.filter((token) => this.nowMs < token.expiresAtMs);
    for (const { kid, epoch } of this.refresh) {
      const state = stateOfKid(kid);
      const isGood = epoch === this.ring.epoch;
      const verifies = ['active', 'retired'].includes(state);
      this.must(verifies === isGood, `a ${isGood ? 'good' : 'revoked'} refresh token's ${kid} is ${state}`);
    }
  }

  private must(holds: boolean, otherwise: string): void {
    if (!holds) throw new Error(`${otherwise}\n${this.story.join('\n')}`);
  }
}

describe('a ring', () => {
  const seen = new Set<string>();

  test(`keeps its promises through ${SEQUENCES} random lives of ${STEPS} steps`, () => {
    for (let seed = 1; seed <= SEQUENCES; seed++) {
      const life = new Life(new Random(seed));
      expect(() => {
        for (let n = 0; n < STEPS; n++) life.step();
      }).not.toThrow();
      for (const what of life.seen) seen.add(what);
    }
  });

  test('went through everything that can happen to it while doing so', () => {
    const kills = ['kill next', 'kill active', 'kill active with next', 'kill retired', 'kill nothing'];
    const rest = ['rotate', 'rotate again', 'rotate now', 'activate', 'automatic', 'revoke all'];
    expect([...seen]).toEqual(expect.arrayContaining([...kills, ...rest]));
  });
});
