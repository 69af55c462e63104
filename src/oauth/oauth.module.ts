import { Module } from '@nestjs/common';
import { KeysModule } from '../keys/keys.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { TokensModule } from '../tokens/tokens.module.js';
import { Introspection } from './introspection.js';
import { MetadataController } from './metadata.controller.js';
import { OAuthController } from './oauth.controller.js';

/** Each tenant as an authorization server of OAuth 2, for standard clients. */
@Module({
  imports: [TenantsModule, KeysModule, TokensModule, SessionsModule],
  controllers: [MetadataController, OAuthController],
  providers: [Introspection],
})
export class OAuthModule {}
