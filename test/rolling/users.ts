/**
 * Users behind a load balancer while the service changes: they create, validate, refresh and revoke in loops, keep a
 * ledger of what was acknowledged, and at the end the ledger is held against the service.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import type { TestTenant, Tokens } from '../support/test-service.js';

const THINK_MS = 20;
const ROUNDS_PER_SESSION = 3;
const GIVE_UP_MS = 180_000;

type Call = 'create' | 'validate' | 'validate by store' | 'refresh' | 'revoke';

interface Answer {
  readonly status: number;
  readonly body: Partial<Tokens> & { readonly error?: string };
  readonly retryAfterSeconds: number | null;
}

export interface Figures {
  readonly requests: number;
  /** What a caller sees as an error: a broken connection, a 5xx without Retry-After, a 401 for a good token. */
  readonly failed: Readonly<Record<string, number>>;
  /** When the last of them had been sent, ms of `performance.now()`; 0 when there is none. */
  readonly lastFailedSentAtMs: number;
  /** 503 with Retry-After, repeated as it says. */
  readonly postponed: number;
  readonly loggedOut: number;
  /** Acknowledged and not so in the end: sessions that are gone, revocations that are. */
  readonly lost: number;
  readonly longestWaitMs: number;
}

export class Users {
  private readonly failed: Record<string, number> = {};
  private readonly living: Tokens[] = [];
  private readonly revoked: Tokens[] = [];
  private requests = 0;
  private succeeded = 0;
  private lastFailedSentAtMs = 0;
  private postponed = 0;
  private loggedOut = 0;
  private longestWaitMs = 0;
  private stopping = false;

  constructor(
    private readonly url: string,
    private readonly tenant: TestTenant,
  ) {}

  /** Traffic flows, `change` happens, and traffic flows again. */
  async during(users: number, change: () => Promise<void>): Promise<Figures> {
    const loops = Promise.all(Array.from({ length: users }, (_, user) => this.live(`user-${user}`, user)));
    try {
      await this.untilServed(users * 10);
      await change();
      await this.untilServed(users * 10);
    } finally {
      this.stopping = true;
      await loops;
    }
    const lost = await this.countLost();
    const { requests, failed, lastFailedSentAtMs, postponed, loggedOut, longestWaitMs } = this;
    return { requests, failed, lastFailedSentAtMs, postponed, loggedOut, lost, longestWaitMs };
  }

  private async untilServed(more: number): Promise<void> {
    const before = this.succeeded;
    await eventually(() => this.succeeded >= before + more);
  }

  private async live(userId: string, seed: number): Promise<void> {
    let turn = seed;
    while (!this.stopping) {
      // On a quick machine one user would have so many that the tenant's limit ends the oldest.
      const body = { tenant_id: this.tenant.tenantId, user_id: `${userId}-${turn}`, scope: 'read' };
      let tokens = (await this.untilDone('create', '/sessions', body)) as Tokens | null;
      for (let round = 0; tokens && round < ROUNDS_PER_SESSION; round++) {
        const check = turn++ % 3 === 0 ? 'store' : 'replica';
        const asked = { access_token: tokens.access_token, revocation_check: check };
        await this.untilDone(
          check === 'store' ? 'validate by store' : 'validate',
          '/sessions/validate',
          asked,
        );
        tokens = await this.refresh(tokens);
        await pause(THINK_MS);
      }
      if (!tokens) continue;
      if (this.stopping || turn % 2 === 0) this.living.push(tokens);
      else await this.revoke(tokens);
    }
  }

  private async refresh(tokens: Tokens): Promise<Tokens | null> {
    const body = { refresh_token: tokens.refresh_token };
    const fresh = (await this.untilDone('refresh', '/sessions/refresh', body)) as Tokens | null;
    if (!fresh) this.loggedOut++;
    return fresh;
  }

  private async revoke(tokens: Tokens): Promise<void> {
    const body = { token: tokens.access_token, reason: 'user_logout' };
    if (await this.untilDone('revoke', '/sessions/revoke', body)) this.revoked.push(tokens);
  }

  /** Tries again what may be tried again. @returns null when the answer is final and not a success */
  private async untilDone(call: Call, path: string, body: unknown): Promise<Answer['body'] | null> {
    const startedAt = performance.now();
    while (performance.now() - startedAt < GIVE_UP_MS) {
      const sentAtMs = performance.now();
      const answer = await this.ask(path, body).catch(() => null);
      this.requests++;
      if (answer && answer.status < 300) {
        this.succeeded++;
        this.longestWaitMs = Math.max(this.longestWaitMs, performance.now() - startedAt);
        return answer.body;
      }
      if (answer?.body.error === 'store_unavailable' && answer.retryAfterSeconds !== null) {
        this.postponed++;
        await pause(answer.retryAfterSeconds * 1000);
        continue;
      }
      this.count(call, answer, sentAtMs);
      if (answer && answer.status < 500) return null;
      await pause(THINK_MS);
    }
    this.count(call, null, performance.now());
    return null;
  }

  private count(call: Call, answer: Answer | null, sentAtMs: number): void {
    this.lastFailedSentAtMs = Math.max(this.lastFailedSentAtMs, sentAtMs);
    const how = answer ? `${answer.status} ${answer.body.error ?? ''}`.trim() : 'no answer';
    this.failed[`${call}: ${how}`] = (this.failed[`${call}: ${how}`] ?? 0) + 1;
  }

  private async ask(path: string, body: unknown): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'x-api-key': this.tenant.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    const retryAfter = response.headers.get('retry-after');
    return {
      status: response.status,
      body: isJson ? (JSON.parse(text) as Answer['body']) : {},
      retryAfterSeconds: retryAfter === null ? null : Number(retryAfter),
    };
  }

  /** Every session that lives must be valid and refresh; every one that was revoked must be refused, both ways. */
  private async countLost(): Promise<number> {
    let lost = 0;
    for (const { access_token, refresh_token } of this.living) {
      const valid = await this.verdict('/sessions/validate', { access_token, revocation_check: 'store' });
      const refreshed = await this.verdict('/sessions/refresh', { refresh_token });
      if (valid !== 200 || refreshed !== 200) lost++;
    }
    for (const { access_token, refresh_token } of this.revoked) {
      const verdicts = [
        await this.verdict('/sessions/validate', { access_token }),
        await this.verdict('/sessions/validate', { access_token, revocation_check: 'store' }),
        await this.verdict('/sessions/refresh', { refresh_token }),
      ];
      if (verdicts.some((status) => status !== 401)) lost++;
    }
    return lost;
  }

  private async verdict(path: string, body: unknown): Promise<number> {
    return eventually(
      async () => (await this.ask(path, body)).status,
      (status) => status < 500,
    );
  }
}
