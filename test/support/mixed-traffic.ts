/**
 * Simulated users of a service whose store is failing over: each creates a session, validates, refreshes and
 * revokes in a loop, and does after each answer what that answer's `action` and Retry-After say. What must never
 * happen is counted, and so is what it was like.
 */
import { eventually } from './eventually.js';
import { TestService, type HttpAnswer, type TestTenant, type Tokens } from './test-service.js';
import { TurnableClock } from './turnable-clock.js';

const THINK_MS = 20;
/** Every so many rounds a user logs out and in again. */
const ROUNDS_PER_SESSION = 4;
/** Longer than any outage here: a user who still gets no answer is counted as such. */
const GIVE_UP_MS = 120_000;

/** For services under traffic: time passes. */
export class RunningClock extends TurnableClock {
  override nowMs(): number {
    return Date.now();
  }
}

export interface TrafficFigures {
  readonly requests: number;
  /** Answers other than 2xx by call, status and error; those that outlasted the service's bound are there too. */
  readonly failed: Readonly<Record<string, number>>;
  /** Answers that no outage excuses: a 5xx that is not store_unavailable, a 401 for a good token, no Retry-After. */
  readonly inexcusable: readonly string[];
  readonly wronglyLoggedOut: number;
  /** The longest time from a call's first attempt to its success, ms. */
  readonly longestWaitMs: number;
  /** The longest single request, ms. */
  readonly slowestRequestMs: number;
  readonly revoked: readonly Tokens[];
}

type Call = 'create' | 'validate' | 'validate by store' | 'refresh' | 'revoke';

export class MixedTraffic {
  private readonly failed: Record<string, number> = {};
  private readonly inexcusable: string[] = [];
  private readonly revoked: Tokens[] = [];
  private requests = 0;
  private succeeded = 0;
  private wronglyLoggedOut = 0;
  private longestWaitMs = 0;
  private slowestRequestMs = 0;
  private stopping = false;
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly services: readonly TestService[],
    private readonly tenant: TestTenant,
  ) {}

  /** Traffic flows, `disturb` happens, and traffic flows again. */
  async around(users: number, disturb: () => Promise<void>): Promise<void> {
    const loops = Array.from({ length: users }, (_, user) => this.live(`user-${user}`, user));
    this.running = Promise.all(loops);
    await eventually(() => this.succeeded > users * 20);
    await disturb();
    const before = this.succeeded;
    await eventually(() => this.succeeded > before + users * 20);
  }

  /** Each user ends what it is at, and then refreshes once more with the last token it was given. */
  async stop(): Promise<TrafficFigures> {
    this.stopping = true;
    await this.running;
    const { requests, failed, inexcusable, wronglyLoggedOut, longestWaitMs, slowestRequestMs, revoked } =
      this;
    return { requests, failed, inexcusable, wronglyLoggedOut, longestWaitMs, slowestRequestMs, revoked };
  }

  private async live(userId: string, seed: number): Promise<void> {
    let turn = seed;
    while (!this.stopping) {
      let tokens = await this.create(userId, turn++);
      for (let round = 0; tokens && round < ROUNDS_PER_SESSION && !this.stopping; round++) {
        await this.validate(tokens, turn++);
        tokens = await this.refresh(tokens, turn++);
        await new Promise((resolve) => setTimeout(resolve, THINK_MS));
      }
      if (!tokens) continue;
      if (this.stopping) await this.refresh(tokens, turn++);
      else await this.revoke(tokens, turn++);
    }
  }

  private async create(userId: string, turn: number): Promise<Tokens | null> {
    const body = { tenant_id: this.tenant.tenantId, user_id: userId, scope: 'read' };
    const answer = await this.untilDone('create', turn, (service) =>
      service.post<Tokens>(this.tenant, '/sessions', body),
    );
    return answer?.status === 201 ? answer.body : null;
  }

  private async validate({ access_token }: Tokens, turn: number): Promise<void> {
    const check = turn % 3 === 0 ? 'store' : 'replica';
    const call = check === 'store' ? 'validate by store' : 'validate';
    await this.untilDone(call, turn, (service) => service.validate(this.tenant, access_token, check));
  }

  /** @returns null when the user would have to log in again */
  private async refresh(tokens: Tokens, turn: number): Promise<Tokens | null> {
    const answer = await this.untilDone('refresh', turn, (service) =>
      service.refresh(this.tenant, tokens.refresh_token),
    );
    if (answer?.status === 200) return { ...answer.body, session_id: tokens.session_id };
    this.wronglyLoggedOut++;
    return null;
  }

  private async revoke(tokens: Tokens, turn: number): Promise<void> {
    const answer = await this.untilDone('revoke', turn, (service) =>
      service.revoke(this.tenant, tokens.access_token),
    );
    if (answer?.status === 204) this.revoked.push(tokens);
  }

  /** @returns null when there was nothing but 503 for too long */
  private async untilDone<T>(
    call: Call,
    turn: number,
    request: (service: TestService) => Promise<HttpAnswer<T>>,
  ): Promise<HttpAnswer<T> | null> {
    const startedAt = performance.now();
    for (let attempt = 0; performance.now() - startedAt < GIVE_UP_MS; attempt++) {
      // Load balancers send a retry anywhere.
      const service = this.services[(turn + attempt) % this.services.length];
      if (!service) throw new Error('no service');
      const askedAt = performance.now();
      const answer = await request(service);
      this.requests++;
      this.slowestRequestMs = Math.max(this.slowestRequestMs, performance.now() - askedAt);
      if (answer.status < 300) {
        this.succeeded++;
        this.longestWaitMs = Math.max(this.longestWaitMs, performance.now() - startedAt);
        return answer;
      }
      this.count(call, answer);
      if (answer.status !== 503) return answer;
      const retryAfterSeconds = Number(answer.headers.get('retry-after') ?? 1);
      await new Promise((resolve) => setTimeout(resolve, retryAfterSeconds * 1000));
    }
    this.inexcusable.push(`${call}: no answer but 503 for ${GIVE_UP_MS} ms`);
    return null;
  }

  private count(call: Call, { status, headers, body }: HttpAnswer<unknown>): void {
    const { error, action } = body as { error?: string; action?: string };
    const kind = `${call}: ${status} ${error}`;
    this.failed[kind] = (this.failed[kind] ?? 0) + 1;
    const excused = error === 'store_unavailable' && action === 'retry' && headers.has('retry-after');
    if (!excused) this.inexcusable.push(kind);
  }
}

/** How many of the revoked sessions some instance accepts: the access token by memory or by the store, or a refresh. */
export async function countAccepted(
  services: readonly TestService[],
  tenant: TestTenant,
  revoked: readonly Tokens[],
): Promise<number> {
  const accepted = new Set<string>();
  for (const { session_id, access_token, refresh_token } of revoked) {
    const questions = services.flatMap((service) => [
      () => service.validate(tenant, access_token),
      () => service.validate(tenant, access_token, 'store'),
      () => service.refresh(tenant, refresh_token),
    ]);
    for (const ask of questions) {
      let status = 503;
      await eventually(async () => (status = (await ask()).status) !== 503);
      if (status !== 401) accepted.add(session_id);
    }
  }
  return accepted.size;
}

/** One line for people, and for the documentation. */
export function report(run: string, figures: TrafficFigures, accepted: number): string {
  const kinds = Object.entries(figures.failed).map(([kind, count]) => `${count} × ${kind}`);
  return [
    `${run}: ${figures.requests} requests`,
    `failed: ${kinds.join(', ') || 'none'}`,
    `longest wait of a user ${(figures.longestWaitMs / 1000).toFixed(1)} s`,
    `slowest request ${Math.round(figures.slowestRequestMs)} ms`,
    `wrongly logged out ${figures.wronglyLoggedOut}`,
    `revocations acknowledged ${figures.revoked.length}, accepted later ${accepted}`,
  ].join('; ');
}
