import { Module } from '@nestjs/common';
import { KeysModule } from '../keys/keys.module.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { RevocationFeedsController } from './revocation-feeds.controller.js';
import { RevocationFeeds } from './revocation-feeds.service.js';

/** Tenants' revocations for those who check tokens by themselves; apart from the follower, which others build on. */
@Module({
  imports: [TenantsModule, KeysModule],
  controllers: [RevocationFeedsController],
  providers: [RevocationFeeds],
})
export class RevocationFeedsModule {}
