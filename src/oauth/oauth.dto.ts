/** What OAuth clients send as forms and get as JSON (RFC 6749, 7009, 7662, 8414). */
import { ApiProperty, PartialType, PickType } from '@nestjs/swagger';
import { AccessClaimsDto, IssuedTokensDto } from '../sessions/session-answer.dto.js';

/** Of client_secret_post; left out where the client authenticates by a header. */
class ClientDto {
  /** The id of an API key of the tenant. @example 85a0cab354582534 */
  client_id?: string;
  /** The whole API key. @example sk_acme_85a0cab354582534_... */
  client_secret?: string;
}

export class TokenRequestDto extends ClientDto {
  @ApiProperty({ enum: ['refresh_token'] })
  grant_type!: string;
  /** @example eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCIs... */
  refresh_token!: string;
}

export class IntrospectionRequestDto extends ClientDto {
  /** @example eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIs... */
  token!: string;
  /** Refresh tokens are told of with `refresh_token` only. */
  @ApiProperty({ required: false, enum: ['access_token', 'refresh_token'] })
  token_type_hint?: string;
}

export class RevocationRequestDto extends ClientDto {
  /** An access or a refresh token, expired or not: its session ends. @example eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIs... */
  token!: string;
  /** Not needed. */
  @ApiProperty({ required: false, enum: ['access_token', 'refresh_token'] })
  token_type_hint?: string;
}

export class TokenAnswerDto extends IssuedTokensDto {
  /** The session's: what was asked for is not gone by. @example "read write" */
  scope!: string;
}

/** Of what is not active, `active` alone. Of a refresh token neither `nbf` nor `metadata`. */
export class IntrospectionDto extends PartialType(
  PickType(AccessClaimsDto, [
    'iss',
    'sub',
    'aud',
    'exp',
    'iat',
    'nbf',
    'jti',
    'sid',
    'tenant_id',
    'scope',
    'metadata',
  ]),
) {
  active!: boolean;
  @ApiProperty({ required: false, enum: ['Bearer', 'refresh_token'] })
  token_type?: 'Bearer' | 'refresh_token';
}

/** Empty: the status says it all. */
export class RevocationAnswerDto {}

export class ServerMetadataDto {
  /** @example https://sessions.example.com/tenants/acme */
  issuer!: string;
  /** @example https://sessions.example.com/tenants/acme/jwks */
  jwks_uri!: string;
  /** @example https://sessions.example.com/tenants/acme/oauth/token */
  token_endpoint!: string;
  /** @example https://sessions.example.com/tenants/acme/oauth/introspect */
  introspection_endpoint!: string;
  /** @example https://sessions.example.com/tenants/acme/oauth/revoke */
  revocation_endpoint!: string;
  /** @example ["refresh_token"] */
  grant_types_supported!: string[];
  /** None: there is no authorization endpoint; users log in at the application. @example [] */
  response_types_supported!: string[];
  /** @example ["client_secret_basic", "client_secret_post"] */
  token_endpoint_auth_methods_supported!: string[];
  /** @example ["client_secret_basic", "client_secret_post"] */
  introspection_endpoint_auth_methods_supported!: string[];
  /** @example ["client_secret_basic", "client_secret_post"] */
  revocation_endpoint_auth_methods_supported!: string[];
}
