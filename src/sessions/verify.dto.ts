/** What a gateway may ask of a verification, in the address that it is configured with. */
import { IsIn, IsOptional, IsString, Matches, MaxLength } from 'class-validator';
import { CompiledDto } from '../http/compiled-dto.js';
import { REVOCATION_CHECKS, type RevocationCheck } from './validation.js';

/** RFC 6749 section 3.3, at least one word: an empty one would be a gateway whose variable was not set. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

@CompiledDto()
export class VerifyQueryDto {
  /** `replica`: memory; `store`: the store's word, one round trip; `skip`: signature and claims only. */
  @IsOptional()
  @IsIn(REVOCATION_CHECKS)
  revocation_check?: RevocationCheck;

  /** Words that the token's scope must have, all of them, separated by single spaces. @example "orders:read" */
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  @Matches(SCOPE, { message: 'scope must be words of printable ASCII, separated by single spaces' })
  scope?: string;
}
