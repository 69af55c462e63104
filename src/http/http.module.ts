import { Global, Module } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { Drain } from './drain.js';
import { ErrorFilter } from './error.filter.js';
import { Happenings } from './happenings.js';
import { RequestEnds } from './request-ends.js';
import { DtoValidationPipe } from './validation.pipe.js';

/** What every request meets, whatever feature it is for. */
@Global()
@Module({
  providers: [
    Drain,
    Happenings,
    RequestEnds,
    ErrorFilter,
    { provide: APP_FILTER, useExisting: ErrorFilter },
    { provide: APP_PIPE, useClass: DtoValidationPipe },
  ],
  exports: [Drain, ErrorFilter, Happenings, RequestEnds],
})
export class HttpModule {}
