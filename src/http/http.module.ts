import { Global, Module } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { Drain } from './drain.js';
import { ErrorFilter } from './error.filter.js';
import { Happenings } from './happenings.js';
import { DirectAnswers } from './direct-answers.js';
import { RequestEnds } from './request-ends.js';
import { SecurityHeaders } from './security-headers.js';
import { DtoValidationPipe } from './validation.pipe.js';

/** What every request meets, whatever feature it is for. */
@Global()
@Module({
  providers: [
    Drain,
    Happenings,
    RequestEnds,
    ErrorFilter,
    DirectAnswers,
    { provide: SecurityHeaders, useFactory: () => SecurityHeaders.read() },
    { provide: APP_FILTER, useExisting: ErrorFilter },
    { provide: APP_PIPE, useClass: DtoValidationPipe },
  ],
  exports: [DirectAnswers, Drain, ErrorFilter, Happenings, RequestEnds, SecurityHeaders],
})
export class HttpModule {}
