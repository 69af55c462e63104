import { Controller, Get, Header, StreamableFile } from '@nestjs/common';
import { ApiOkResponse, ApiProduces, ApiTags } from '@nestjs/swagger';
import { AppError } from '../errors.js';
import { ForPlatform } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { StoreBackup } from './store-backup.js';

const SQLITE = 'application/vnd.sqlite3';

@ApiTags('backup')
@Controller('backup')
export class BackupController {
  private underWay = false;

  constructor(private readonly store: StoreBackup) {}

  /** A copy of the SQLite file, made while the service goes on; one at a time. Redis is backed up by its own means. */
  @Get()
  @ForPlatform()
  @Header('cache-control', 'no-store')
  @ApiProduces(SQLITE)
  @ApiOkResponse({ schema: { type: 'string', format: 'binary' } })
  @ApiErrors('invalid_request', 'rate_limited')
  async copy(): Promise<StreamableFile> {
    if (this.underWay) throw new AppError('rate_limited', { description: 'A backup is being made already.' });
    this.underWay = true;
    try {
      const copy = await this.store.copy();
      if (!copy) {
        const description = 'The store is not a file of this service: back it up by its own means.';
        throw new AppError('invalid_request', { description });
      }
      const disposition = 'attachment; filename="sessions.db"';
      return new StreamableFile(copy.content, { type: SQLITE, length: copy.sizeBytes, disposition });
    } finally {
      this.underWay = false;
    }
  }
}
