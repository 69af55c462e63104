/**
 * What the short way does with a validation. Of a request that came before, byte for byte, nothing is read a second
 * time: which token it asks about is remembered with the digest of its body. What the token is worth is judged anew.
 */
import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { Config } from '../config.js';
import type { DirectAnswer, Outcome } from '../http/direct-answers.js';
import type { TenantPrincipal } from '../http/principal.js';
import type { AccessClaims } from '../tokens/claims.js';
import { hasFormOfCompactJwt } from '../tokens/compact-jwt.js';
import { VerifiedTokens } from '../tokens/verified-tokens.js';
import { checkOf, ValidateDto } from './session.dto.js';
import { SessionsService } from './sessions.service.js';
import { answerValidation, noteValidation } from './validation-answer.js';
import type { Judgement, RevocationCheck, Validation } from './validation.js';

/** A body as it was read. */
interface KnownBody {
  readonly tokenDigest: string;
  readonly check: RevocationCheck;
}

/** How the answer to a good token begins. */
interface ClaimsText {
  readonly text: string;
  readonly bytes: number;
}

/** Two digests and the cache's own books. */
const KNOWN_BODY_BYTES = 350;
/** Beside the memory for verified tokens, in proportion to it: as many bodies as tokens. */
const SHARE_OF_BODIES = 0.15;

@Injectable()
export class ShortValidation {
  readonly dto = ValidateDto;
  readonly tells = false;
  private readonly bodies: LRUCache<string, KnownBody> | null;
  private readonly claimsTexts = new WeakMap<AccessClaims, ClaimsText>();

  constructor(
    private readonly sessions: SessionsService,
    config: Config,
  ) {
    const max = Math.floor((config.verifiedTokenCacheMb * 1_000_000 * SHARE_OF_BODIES) / KNOWN_BODY_BYTES);
    this.bodies = max > 0 ? new LRUCache({ max }) : null;
  }

  /** Without reading the body. @returns undefined when it must be read */
  known(caller: TenantPrincipal, bytes: Buffer, request: FastifyRequest): Outcome | undefined {
    const body = this.bodies?.get(digestOf(bytes));
    const judged = body && this.sessions.validateKnown(caller, body.tokenDigest, body.check);
    return judged && this.outcomeOf(judged, body.check, request);
  }

  /** Of a body that was read: from memory, or later. */
  begin(caller: TenantPrincipal, body: ValidateDto, request: FastifyRequest, bytes: Buffer): Outcome {
    const { access_token: token } = body;
    const check = checkOf(body);
    const tokenDigest = hasFormOfCompactJwt(token) ? VerifiedTokens.digest(token) : undefined;
    const known = tokenDigest && this.sessions.validateKnown(caller, tokenDigest, check);
    if (known) {
      // It may come a third time; of what is seen once nothing more is kept.
      this.bodies?.set(digestOf(bytes), { tokenDigest, check });
      return this.outcomeOf(known, check, request);
    }
    const judged = this.sessions.validateHere(caller, token, check, tokenDigest);
    if (judged && typeof judged !== 'function') return answerOf(judged, check, request);
    const validated = judged ?? (() => this.sessions.validate(caller, token, check));
    return async () => answerOf(await validated(), check, request);
  }

  private outcomeOf(judged: Judgement, check: RevocationCheck, request: FastifyRequest): Outcome {
    if (typeof judged !== 'function') return this.answerAgain(judged, check, request);
    return async () => this.answerAgain(await judged(), check, request);
  }

  /** Of a token that came before: what it claims was put into words then. */
  private answerAgain(validation: Validation, check: RevocationCheck, request: FastifyRequest): DirectAnswer {
    if (!validation.valid) return answerOf(validation, check, request);
    const status = noteValidation(validation, check, request);
    const { checked, ageMs } = validation.revocation;
    // Nothing but the claims has a character that JSON would escape.
    const claims = this.textOf(validation.claims);
    const rest = `,"revocation":{"checked":"${checked}","age_ms":${ageMs}}}`;
    return { status, text: claims.text + rest, bytes: claims.bytes + rest.length };
  }

  private textOf(claims: AccessClaims): ClaimsText {
    let known = this.claimsTexts.get(claims);
    if (!known) {
      const text = `{"valid":true,"claims":${JSON.stringify(claims)}`;
      this.claimsTexts.set(claims, (known = { text, bytes: Buffer.byteLength(text) }));
    }
    return known;
  }
}

function answerOf(validation: Validation, check: RevocationCheck, request: FastifyRequest): DirectAnswer {
  const { status, body } = answerValidation(validation, check, request);
  return { status, text: JSON.stringify(body) };
}

function digestOf(bytes: Buffer): string {
  return hash('sha256', bytes, 'base64');
}
