/** What callers may put into a session: rules for user ids, metadata and comments, as class-validator decorators. */
import { ValidateBy, type ValidationOptions } from 'class-validator';

const MAX_USER_ID_BYTES = 256;
const MAX_METADATA_MEMBERS = 32;
const MAX_METADATA_BYTES = 4096;

/** No control, format (bidi overrides, zero-width), private-use, unassigned or line-separating characters. */
const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}]*$/u;

export function isUserId(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.isWellFormed() &&
    PRINTABLE.test(value) &&
    Buffer.byteLength(value) <= MAX_USER_ID_BYTES
  );
}

/** @returns the rule that is broken, or null */
export function metadataProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'metadata must be a JSON object';
  const members = Object.entries(value);
  if (members.length > MAX_METADATA_MEMBERS)
    return `metadata must have at most ${MAX_METADATA_MEMBERS} members`;
  for (const [name, member] of members) {
    if (!name.isWellFormed()) return 'metadata must be well-formed Unicode';
    const problem = Array.isArray(member)
      ? member.map(scalarProblem).find((found) => found !== null)
      : scalarProblem(member);
    if (problem) return problem;
  }
  if (Buffer.byteLength(JSON.stringify(value)) > MAX_METADATA_BYTES) {
    return `metadata must be at most ${MAX_METADATA_BYTES} bytes of JSON`;
  }
  return null;
}

function scalarProblem(value: unknown): string | null {
  if (typeof value === 'boolean') return null;
  if (typeof value === 'string') return value.isWellFormed() ? null : 'metadata must be well-formed Unicode';
  if (typeof value !== 'number')
    return 'metadata must hold strings, numbers, booleans and arrays of them only';
  const exact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  return exact ? null : 'metadata must not hold numbers beyond 2^53 - 1: send them as strings';
}

export function IsUserId(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isUserId',
      validator: {
        validate: isUserId,
        defaultMessage: () => '$property must be 1 to 256 bytes of printable Unicode',
      },
    },
    options,
  );
}

export function IsSessionMetadata(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isSessionMetadata',
      validator: {
        validate: (value) => metadataProblem(value) === null,
        defaultMessage: (args) => metadataProblem(args?.value) ?? 'metadata is malformed',
      },
    },
    options,
  );
}

/** One line: what goes into records that people read must not look like two of them. */
export function IsComment(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isComment',
      validator: {
        validate: (value) => typeof value === 'string' && PRINTABLE.test(value),
        defaultMessage: () => '$property must be one line of printable text',
      },
    },
    options,
  );
}
