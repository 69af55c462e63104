/** What the feed of a tenant's revocations looks like from outside. */
export class RevocationDto {
  /** Of a session (`sid`) or of a single access token (`jti`). @example T1NASbYbtW2jp0d6zovEnHQP4w */
  id!: string;
  /** @example session */
  kind!: 'session' | 'token';
  /** Unix time in seconds from which it may be forgotten. @example 1795469839 */
  expires_at!: number;
}

export class RevocationListDto {
  /** @example acme */
  tenant_id!: string;
  /** Where a stream can go on, as `Last-Event-ID`. @example q3zY0bUeYV1o2m7gq5xj7A */
  event_id!: string;
  /** How old the service's own knowledge is, in milliseconds. @example 118 */
  age_ms!: number;
  /** The keys whose tokens may be accepted; a token under any other is revoked. @example ["3f1c9f5e-8d0c-4a53-9f9e-1f2c59a6f9a1"] */
  kids!: string[];
  revocations!: RevocationDto[];
}

/** A stream as it may begin. */
export const STREAM_EXAMPLE = [
  'id: q3zY0bUeYV1o2m7gq5xj7A',
  'event: snapshot',
  'data: {"kids":["3f1c9f5e-8d0c-4a53-9f9e-1f2c59a6f9a1"],"revocations":[],"complete":true}',
  '',
  'event: age',
  'data: {"age_ms":118}',
  '',
  'id: 0VbVnq3pQm2nXhUqk3m2Fg',
  'event: revoked',
  'data: {"revocations":[{"id":"T1NASbYbtW2jp0d6zovEnHQP4w","kind":"session","expires_at":1795469839}]}',
  '',
  '',
].join('\n');
