/**
 * A strict reader of compact JWTs (RFC 7515 section 7.1), in front of the library, which accepts more spellings of a
 * token and more headers than the service issues. It checks no signature, and nothing it returns can be trusted yet.
 */

/** Longest token that is looked at, in characters: the largest that is issued has about 11,000. */
export const MAX_TOKEN_LENGTH = 16_384;
/** As in the service: many times what any token has. */
const MAX_DEPTH = 16;
const MAX_MEMBERS = 1000;

const KID = /^[A-Za-z0-9_-]{1,64}$/;
/** A member's name with its colon, another string, or a bracket: all that the structure of valid JSON is made of. */
const STRUCTURE = /"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g;
/** Libraries would read these as an object's type, or drop them without a word. */
const FORBIDDEN = new Set(['__proto__', 'constructor']);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export type JsonObject = Readonly<Record<string, unknown>>;

export interface CompactJwt {
  readonly kid: string;
  readonly payload: JsonObject;
}

/** @returns null for everything but three canonical base64url segments with the one known header and an object */
export function parseAccessJwt(token: string): CompactJwt | null {
  if (token.length > MAX_TOKEN_LENGTH) return null;
  const segments = token.split('.', 4);
  if (segments.length !== 3) return null;
  const [header, payload, signature] = segments.map(decodeCanonical);
  if (!header || !payload || !signature) return null;
  const kid = kidOf(parseStrictObject(header));
  const claims = parseStrictObject(payload);
  return kid !== null && claims ? { kid, payload: claims } : null;
}

/** The decoder skips what it does not know and ignores spare bits; encoding again shows whether it did. */
function decodeCanonical(segment: string): Buffer | null {
  const bytes = Buffer.from(segment, 'base64url');
  return bytes.length > 0 && bytes.toString('base64url') === segment ? bytes : null;
}

/** Exactly alg, typ and kid, each as the service writes it. */
function kidOf(header: JsonObject | null): string | null {
  if (!header || Object.keys(header).length !== 3) return null;
  const { alg, typ, kid } = header;
  const isKnown = alg === 'RS256' && typ === 'at+jwt' && typeof kid === 'string' && KID.test(kid);
  return isKnown ? kid : null;
}

/** JSON.parse alone keeps the last of two members, and would let halves of characters through. */
export function parseStrictObject(bytes: Uint8Array): JsonObject | null {
  try {
    const text = utf8.decode(bytes);
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject && isUnambiguous(text) ? (value as JsonObject) : null;
  } catch {
    return null;
  }
}

/** @param json valid, so that its strings and brackets can be picked out without following its grammar */
function isUnambiguous(json: string): boolean {
  const open: (Set<string> | null)[] = []; // an object's member names, or null for an array
  let members = 0;
  for (const [piece] of json.matchAll(STRUCTURE)) {
    if (piece === '{' || piece === '[') {
      if (open.push(piece === '{' ? new Set() : null) > MAX_DEPTH) return false;
    } else if (piece === '}' || piece === ']') {
      open.pop();
    } else {
      const isName = piece.endsWith(':');
      const quoted = isName ? piece.slice(0, piece.lastIndexOf('"') + 1) : piece;
      const text = quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
      if (!text.isWellFormed()) return false;
      if (!isName) continue;
      const names = open.at(-1);
      if (++members > MAX_MEMBERS || !names || names.has(text) || FORBIDDEN.has(text)) return false;
      names.add(text);
    }
  }
  return true;
}
