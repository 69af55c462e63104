/** Many revocations in one call: each succeeds or fails by itself, unless the store is out. */
import { Injectable } from '@nestjs/common';
import { AppError, type TokenErrorCode } from '../errors.js';
import { isRandomId } from '../random-id.js';
import type { TenantPrincipal } from '../http/principal.js';
import { RateLimiter } from '../tenants/rate-limiter.js';
import { askInPortions, valuesOf } from './in-portions.js';
import { type BatchResultDto, type BatchResultsDto } from './session-answer.dto.js';
import { MAX_BATCH, type RevokeBatchDto } from './session.dto.js';
import { SessionEndings, type Proof } from './session-endings.js';
import { SessionsService } from './sessions.service.js';

/** What rate limits count a batch for: less than so many calls, more than one. */
const ITEMS_PER_REQUEST = 10;

@Injectable()
export class RevocationBatch {
  constructor(
    private readonly sessions: SessionsService,
    private readonly endings: SessionEndings,
    private readonly limiter: RateLimiter,
  ) {}

  /** @throws AppError invalid_request; store_unavailable when the store fails, and then a retry completes it */
  async revoke(caller: TenantPrincipal, batch: RevokeBatchDto): Promise<BatchResultsDto> {
    const { tokens, session_ids: sessionIds, reason } = batch;
    const size = (tokens?.length ?? 0) + (sessionIds?.length ?? 0);
    if (size < 1 || size > MAX_BATCH) {
      throw new AppError('invalid_request', {
        description: `Send 1 to ${MAX_BATCH} tokens and session ids together.`,
      });
    }
    this.limiter.charge(caller, Math.ceil(size / ITEMS_PER_REQUEST) - 1);
    const resolved = [
      ...(await this.resolveTokens(caller, tokens ?? [])),
      ...(sessionIds ?? []).map((id): Resolved => ({
        item: { session_id: id },
        sessionId: isRandomId(id) ? id : null,
      })),
    ];
    const proofs = resolved.flatMap(({ proof }) => proof ?? []);
    const byId = resolved.flatMap(({ sessionId }) => sessionId ?? []);
    const ended = await this.endings.endEach(caller.tenantId, { proofs, byId }, reason);
    return { revoked_count: ended.size, results: resolved.map((item) => toResult(item, ended)) };
  }

  /** Checking a signature takes the processor: others get their turn in between. */
  private async resolveTokens(caller: TenantPrincipal, tokens: readonly string[]): Promise<Resolved[]> {
    const found = valuesOf(await askInPortions(tokens, (token) => this.resolve(caller, token)));
    return found.map((one, index) => ({ item: { token_index: index }, ...one }));
  }

  private async resolve(
    caller: TenantPrincipal,
    token: string,
  ): Promise<Pick<Resolved, 'sessionId' | 'proof' | 'error'>> {
    try {
      const proof = await this.sessions.claimsOf(caller, token);
      return { sessionId: proof.sid, proof };
    } catch (error) {
      if (!(error instanceof AppError) || error.status !== 401) throw error;
      return { sessionId: null, error: error.code as TokenErrorCode };
    }
  }
}

/** An item of the batch, and the session that it speaks of; null when it speaks of none. */
interface Resolved {
  readonly item: Pick<BatchResultDto, 'token_index' | 'session_id'>;
  readonly sessionId: string | null;
  readonly proof?: Proof;
  readonly error?: TokenErrorCode;
}

function toResult({ item, sessionId, error }: Resolved, ended: ReadonlySet<string>): BatchResultDto {
  if (error) return { ...item, status: 'refused', error };
  return { ...item, status: sessionId !== null && ended.has(sessionId) ? 'revoked' : 'not_found' };
}
