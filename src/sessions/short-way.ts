/**
 * The short way through the hot routes: a good request of a known caller is answered before the framework's hooks and
 * router, which cost more than all of the work. It goes by the same guard, DTOs, services and filter; whatever it does
 * not take goes to them the ordinary way, with the body that was read. Measured in docs/performance.md.
 */
import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Config } from '../config.js';
import { routeOf, type ShortWayOperation } from '../http/access.js';
import { certainlyObeys, type Dto } from '../http/compiled-dto.js';
import {
  DirectAnswers,
  hasPlainJson,
  readBody,
  type DirectAnswer,
  type Outcome,
} from '../http/direct-answers.js';
import { ErrorFilter } from '../http/error.filter.js';
import { Happenings } from '../http/happenings.js';
import type { TenantPrincipal } from '../http/principal.js';
import { formProblem } from '../http/request-form.js';
import { JsonError, parseStrictJson } from '../http/strict-json.js';
import { TurnBatch } from '../http/turn-batch.js';
import { RequestScope } from '../request-scope.js';
import { StoreBudget } from '../store-budget.js';
import { AccessGuard, type Counted } from '../tenants/access.guard.js';
import { toIssuedDto } from './session-answer.dto.js';
import { CreateSessionDto, RefreshDto, toNewSession, type ValidateDto } from './session.dto.js';
import { SessionsService } from './sessions.service.js';
import { ShortValidation } from './short-validation.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Read by the short way, which then did not take the request. */
    arrivedBody?: Buffer;
  }
}

/** What a route does. */
interface Operation<B extends object> {
  readonly dto: Dto;
  /** Whether what it did is told of: `HappeningsInterceptor` on the ordinary way. */
  readonly tells: boolean;
  /** For a body that was read before; undefined for others. */
  known?(caller: TenantPrincipal, bytes: Buffer, request: FastifyRequest): Outcome | undefined;
  /** @param body obeys the DTO */
  begin(caller: TenantPrincipal, body: B, request: FastifyRequest, bytes: Buffer): Outcome;
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly counted: Counted;
}

interface Arrived extends Exchange {
  readonly operation: Operation<object>;
  readonly bytes: Buffer;
  /** The ordinary way. */
  readonly goOn: () => void;
  answer?: DirectAnswer;
}

@Injectable()
export class ShortWay {
  private readonly operations: Readonly<Record<ShortWayOperation, Operation<object>>>;
  /** Judged one after the other, then answered: code and data that one has just used serve the next. */
  private readonly arrivals = new TurnBatch<Arrived>((batch) => this.answerAll(batch));

  constructor(
    private readonly config: Config,
    private readonly guard: AccessGuard,
    private readonly answers: DirectAnswers,
    private readonly errors: ErrorFilter,
    private readonly happenings: Happenings,
    validation: ShortValidation,
    sessions: SessionsService,
  ) {
    this.operations = {
      validate: validation satisfies Operation<ValidateDto>,
      create: {
        dto: CreateSessionDto,
        tells: true,
        begin: (caller, body) => async () =>
          answerOf(201, toIssuedDto(await sessions.create(caller, toNewSession(body)))),
      } satisfies Operation<CreateSessionDto>,
      refresh: {
        dto: RefreshDto,
        tells: true,
        begin:
          (caller, { refresh_token: token }) =>
          async () =>
            answerOf(200, toIssuedDto(await sessions.refresh(caller, token))),
      } satisfies Operation<RefreshDto>,
    };
  }

  /** Ahead of all other hooks. @param goOn the ordinary way */
  enter(request: FastifyRequest, reply: FastifyReply, goOn: () => void): void {
    const { config, template } = routeOf(request);
    const { shortWay } = config;
    const isPlain =
      shortWay !== undefined &&
      request.url === template && // the router takes other spellings for it, which the framework then refuses
      hasPlainJson(request, this.config.bodyLimitBytes) &&
      formProblem(request.raw) === null;
    const counted = isPlain ? this.guard.greet(request) : undefined;
    if (!shortWay || !counted) return goOn();
    if (counted.refusal) return this.refuse(counted.refusal, { request, reply, counted });
    const operation = this.operations[shortWay];
    readBody(request, (bytes) => this.arrivals.add({ request, reply, counted, operation, bytes, goOn }));
  }

  /** What the ordinary way reads: the body that is there already, or the one that is still to come. */
  bodyOf({ arrivedBody }: FastifyRequest, payload: Readable): Readable {
    return arrivedBody ? Readable.from(arrivedBody, { objectMode: false }) : payload;
  }

  private answerAll(batch: readonly Arrived[]): void {
    for (const arrived of batch) if (!this.take(arrived)) this.leave(arrived);
    for (const arrived of batch) if (arrived.answer) this.send(arrived.answer, arrived);
  }

  /** Notes the answer, or has it given later. @returns false for what the ordinary way must judge, or would refuse */
  private take(arrived: Arrived): boolean {
    const { request, operation, bytes } = arrived;
    try {
      const caller = this.guard.recallAdmitted(request);
      if (!caller) return false;
      let outcome = operation.known?.(caller, bytes, request);
      if (!outcome) {
        const body = parsed(bytes);
        if (!certainlyObeys(operation.dto, body)) return false;
        request.body = body;
        outcome = operation.begin(caller, body as object, request, bytes);
      }
      if (typeof outcome === 'function') void this.run(outcome, arrived);
      else arrived.answer = outcome;
    } catch (error) {
      this.refuse(error, arrived);
    }
    return true;
  }

  private leave({ request, reply, counted, bytes, goOn }: Arrived): void {
    request.arrivedBody = bytes;
    if (counted.headers) void reply.headers(counted.headers);
    goOn();
  }

  private async run(work: () => Promise<DirectAnswer>, arrived: Arrived): Promise<void> {
    const { request, operation } = arrived;
    const budget = StoreBudget.ofRequest(this.config.redisCommandTimeoutMs);
    await RequestScope.run(budget, async () => {
      try {
        if (operation.tells) this.happenings.requireRoom();
        const answer = await work();
        if (operation.tells) this.happenings.answered(request);
        this.send(answer, arrived);
      } catch (error) {
        this.refuse(error, arrived);
      }
    });
  }

  private send(answer: DirectAnswer, exchange: Exchange): void {
    const { request, reply, counted } = exchange;
    try {
      this.answers.send(request, reply, answer, counted.headers);
    } catch (error) {
      this.refuse(error, exchange);
    }
  }

  private refuse(error: unknown, { request, reply, counted }: Exchange): void {
    void reply.headers(this.answers.headers);
    if (counted.headers) void reply.headers(counted.headers);
    this.errors.answer(error, request, reply);
  }
}

function answerOf(status: number, body: object): DirectAnswer {
  return { status, text: JSON.stringify(body) };
}

/** @returns undefined for what is no such JSON: the ordinary way says why */
function parsed(bytes: Buffer): unknown {
  try {
    return parseStrictJson(bytes);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}
