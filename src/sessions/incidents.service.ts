/** Ends all sessions that match a query, a bounded step at a time, each of which may be repeated. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { AppError } from '../errors.js';
import { Happenings } from '../http/happenings.js';
import type { OpenKeyRing } from '../keys/open-key-ring.js';
import { KeyRingsService } from '../keys/key-rings.service.js';
import type { RevocationReason } from '../revocation-reason.js';
import {
  IncidentSeal,
  matches,
  queryView,
  signingTimeOf,
  type IncidentProgress,
  type IncidentQuery,
} from './incident.js';
import { SessionEndings } from './session-endings.js';
import { SessionStore, type Session } from './session.js';

/** A step takes no new page after so long: other requests have their turn, and its caller hears how far it is. */
const STEP_MS = 300;
/** Records of one page: a few milliseconds of work for this process. */
const PAGE = 200;
/** Sessions that one step ends at most, give or take a page: each is some writes. */
const MAX_ENDED = 400;
const SAMPLE = 20;

export interface IncidentRequest {
  readonly query: IncidentQuery;
  readonly reason: RevocationReason;
  readonly dryRun: boolean;
  readonly incidentId?: string;
  /** Where the step before has stopped. */
  readonly cursor?: string;
}

export interface IncidentStep {
  /** null in a dry run. */
  readonly incidentId: string | null;
  /** Since the incident, or the dry run, began. */
  readonly progress: IncidentProgress;
  /** Some that matched in this step. */
  readonly sample: readonly Session[];
  /** Live sessions of the tenant, about. */
  readonly live: number;
  /** null: all have been looked at. */
  readonly next: string | null;
}

@Injectable()
export class IncidentsService {
  private readonly seal: IncidentSeal;

  constructor(
    private readonly store: SessionStore,
    private readonly endings: SessionEndings,
    private readonly keyRings: KeyRingsService,
    private readonly happenings: Happenings,
    private readonly clock: Clock,
    config: Config,
  ) {
    this.seal = new IncidentSeal(config.adminApiKeyDigest);
  }

  /**
   * Begins an incident, or goes on with one. Sessions that existed when it began and match are ended when a step has
   * answered without `next`; two that run at once, or a step that is repeated, end nothing twice.
   * @throws AppError invalid_request, store_unavailable: the same step may be asked for again
   */
  async step(tenantId: string, request: IncidentRequest): Promise<IncidentStep> {
    const { query, reason, dryRun } = request;
    if (Object.keys(query).length === 0)
      throw malformed('Name at least one criterion; revoke-all takes none.');
    const keys = await this.keyRings.getForKnownTenant(tenantId);
    this.requireKnownKid(keys, query);
    const subject = JSON.stringify([tenantId, queryView(query), reason, dryRun]);
    const incidentId = dryRun ? null : this.incidentIdOf(tenantId, request, subject);
    const place = `${subject} ${incidentId}`;
    const before = request.cursor === undefined ? BEGINNING : this.seal.openProgress(request.cursor, place);
    if (!before) throw malformed('cursor must be the next_cursor of an earlier step with the same query.');
    const { progress, sample } = await this.advance(tenantId, { ...request, incidentId, before, keys });
    if (progress.cursor === null && incidentId !== null) {
      const { scanned, matched, ended } = progress;
      this.happenings.tell({
        kind: 'incident_completed',
        tenantId,
        incidentId,
        reason,
        scanned,
        matched,
        ended,
      });
    }
    return {
      incidentId,
      progress,
      sample,
      live: await this.store.countLive(tenantId, keys.epoch, this.clock.nowMs()),
      next: progress.cursor === null ? null : this.seal.sealProgress(progress, place),
    };
  }

  /** A key that is gone has left no token that is alive, and one that never was is a slip. */
  private requireKnownKid({ ring }: OpenKeyRing, { kid }: IncidentQuery): void {
    if (kid === undefined) return;
    if ([...ring.signingKeys, ...ring.refreshSecrets].some((key) => key.kid === kid)) return;
    throw malformed('kid must be the kid of a key of this tenant.');
  }

  private incidentIdOf(
    tenantId: string,
    { incidentId, query, reason }: IncidentRequest,
    subject: string,
  ): string {
    if (incidentId === undefined) {
      const id = this.seal.newId(subject);
      this.happenings.tell({
        kind: 'incident_begun',
        tenantId,
        incidentId: id,
        reason,
        query: queryView(query),
      });
      return id;
    }
    if (this.seal.isIdOf(incidentId, subject)) return incidentId;
    throw malformed('incident_id must be of an incident of this tenant, with the same query and reason.');
  }

  private async advance(
    tenantId: string,
    step: {
      query: IncidentQuery;
      reason: RevocationReason;
      incidentId: string | null;
      before: IncidentProgress;
      keys: OpenKeyRing;
    },
  ): Promise<{ progress: IncidentProgress; sample: Session[] }> {
    const { query, reason, incidentId, before, keys } = step;
    const signedAt = query.kid === undefined ? null : signingTimeOf(keys.ring, query.kid);
    const startedAtMs = this.clock.monotonicMs();
    const sample: Session[] = [];
    let { scanned, matched, ended, cursor } = before;
    let endedNow = 0;
    do {
      const page = await this.store.scan(tenantId, { cursor, limit: PAGE, nowMs: this.clock.nowMs() });
      scanned += page.sessions.length;
      const found = page.sessions.filter(
        ({ session, isMarked }) =>
          session.epoch >= keys.epoch &&
          // A marked one has been ended, or its ending was cut short: that is completed here.
          (!isMarked || incidentId !== null) &&
          matches(session, query, signedAt),
      );
      matched += found.length;
      sample.push(...found.slice(0, SAMPLE - sample.length).map(({ session }) => session));
      if (incidentId !== null && found.length > 0) {
        const ids = found.map(({ session }) => session.sessionId);
        const done = await this.endings.end(tenantId, ids, reason, { incidentId });
        endedNow += [...done.values()].filter(({ wasAlive, again }) => wasAlive && !again).length;
      }
      cursor = page.next;
      await nextTurn();
    } while (cursor !== null && endedNow < MAX_ENDED && this.clock.monotonicMs() - startedAtMs < STEP_MS);
    ended += endedNow;
    return { progress: { scanned, matched, ended, cursor }, sample };
  }
}

const BEGINNING: IncidentProgress = { scanned: 0, matched: 0, ended: 0, cursor: null };

function malformed(description: string): AppError {
  return new AppError('invalid_request', { description });
}
