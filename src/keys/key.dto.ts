import { ApiProperty } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsOptional } from 'class-validator';
import { toSeconds } from '../clock.js';
import { stateOf, type KeyRing, type KeyState } from './key-ring.js';

export class RotateQueryDto {
  /** `true`: the new key signs at once. Verifiers that hold a JWKS may not know it for up to 5 minutes. */
  @IsOptional()
  @IsIn(['true', 'false'])
  now?: 'true' | 'false';
}

export class RotateDto {
  /** The same as the query's. @example false */
  @IsOptional()
  @IsBoolean()
  now?: boolean;
}

export class ResealReportDto {
  /** Tenants whose keys were moved by this call. @example 12 */
  resealed!: number;
  /** Tenants under each master key now; a master key that is not named may be dropped from MASTER_KEYS. */
  @ApiProperty({ type: 'object', additionalProperties: { type: 'integer' }, example: { m2: 12 } })
  in_use!: Record<string, number>;
}

export class JwkDto {
  /** @example RSA */
  kty!: string;
  /** @example sig */
  use!: string;
  /** @example RS256 */
  alg!: string;
  /** @example 3f1c9f5e-8d0c-4a53-9f9e-1f2c59a6f9a1 */
  kid!: string;
  /** Modulus, base64url. @example 0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7... */
  n!: string;
  /** Exponent, base64url. @example AQAB */
  e!: string;
}

export class JwkSetDto {
  keys!: JwkDto[];
}

export class KeyViewDto {
  /** @example 3f1c9f5e-8d0c-4a53-9f9e-1f2c59a6f9a1 */
  kid!: string;
  /** `next` (published, not signing yet), `active`, `retired` (verifies only) or `revoked`. @example active */
  state!: KeyState;
  /** @example 1 */
  epoch!: number;
  /** Unix time in seconds from which it signs. @example 1795000000 */
  activates_at!: number;
  /** Unix time in seconds from which it no longer signs. @example 1802776000 */
  retires_at!: number | null;
  /** Unix time in seconds from which nothing it signed is alive. @example 1802862460 */
  expires_at!: number | null;
}

export class KeyListDto {
  /** The tenant's epoch: everything signed in an earlier one is revoked. @example 1 */
  epoch!: number;
  keys!: KeyViewDto[];
}

export function toView(ring: KeyRing, nowMs: number): KeyListDto {
  const seconds = (ms: number | null) => (ms === null ? null : toSeconds(ms));
  const views = ring.signingKeys.map((key) => ({
    kid: key.kid,
    state: stateOf(key, ring.epoch, nowMs),
    epoch: key.epoch,
    activates_at: toSeconds(key.activatesAtMs),
    retires_at: seconds(key.retiresAtMs),
    expires_at: seconds(key.expiresAtMs),
  }));
  return { epoch: ring.epoch, keys: views.filter((view) => view.state !== 'gone') };
}
