import { Controller, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { ForPlatform } from '../http/access.js';
import { ResealReportDto } from './key.dto.js';
import { ResealService } from './reseal.service.js';

@ApiTags('keys')
@Controller('master-keys')
export class ResealController {
  constructor(private readonly reseal: ResealService) {}

  /** Seal every tenant's keys under the first master key, and say which master keys are still in use. */
  @Post('reseal')
  @HttpCode(200)
  @ForPlatform()
  async resealAll(): Promise<ResealReportDto> {
    const { resealed, inUse } = await this.reseal.resealAll();
    return { resealed, in_use: { ...inUse } };
  }
}
