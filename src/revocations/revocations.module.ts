import { Global, Module } from '@nestjs/common';
import { TenantChanges } from '../tenants/tenant-changes.js';
import { FeedFollower } from './feed-follower.js';

/** The change feed's follower; global, because it also carries the changes that the layers below announce. */
@Global()
@Module({
  providers: [FeedFollower, { provide: TenantChanges, useExisting: FeedFollower }],
  exports: [FeedFollower, TenantChanges],
})
export class RevocationsModule {}
