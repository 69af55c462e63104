/**
 * On every protected route but validation, which changes nothing: looks before a change whether it can be kept in
 * mind, and has what was told delivered before the answer leaves. Failures never get here; the error filter has them.
 */
import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { tap, type Observable } from 'rxjs';
import { Happenings } from './happenings.js';

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

@Injectable()
export class HappeningsInterceptor implements NestInterceptor {
  constructor(private readonly happenings: Happenings) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (READING.has(request.method)) return next.handle();
    this.happenings.requireRoom();
    return next.handle().pipe(tap({ complete: () => this.happenings.answered(request) }));
  }
}
