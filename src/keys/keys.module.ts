import { Module } from '@nestjs/common';
import { Config } from '../config.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { Envelope } from './envelope.js';
import { JwksController } from './jwks.controller.js';
import { KeyAges } from './key-ages.js';
import { KeyFactory } from './key-factory.js';
import { KeyLifecycleService } from './key-lifecycle.service.js';
import { KeyProvider } from './key-provider.js';
import { KeyRingsService } from './key-rings.service.js';
import { KeyRotation } from './key-rotation.js';
import { KeysController } from './keys.controller.js';
import { LocalKeyProvider } from './local-key-provider.js';
import { ResealController } from './reseal.controller.js';
import { ResealService } from './reseal.service.js';
import { VaultKeyProvider } from './vault-key-provider.js';

/** Tenants' signing keys and refresh secrets: sealed at rest, rotating by themselves, public where they are public. */
@Module({
  imports: [TenantsModule],
  controllers: [JwksController, KeysController, ResealController],
  providers: [
    KeyRingsService,
    KeyLifecycleService,
    KeyRotation,
    KeyAges,
    ResealService,
    KeyFactory,
    Envelope,
    {
      provide: KeyProvider,
      inject: [Config],
      useFactory: ({ keyProvider, masterKeys }: Config): KeyProvider =>
        keyProvider.kind === 'vault' ? new VaultKeyProvider(keyProvider) : new LocalKeyProvider(masterKeys),
    },
  ],
  exports: [KeyRingsService, KeyLifecycleService, KeyAges],
})
export class KeysModule {}
