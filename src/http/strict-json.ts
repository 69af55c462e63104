/**
 * JSON as RFC 8259 lets a careful receiver read it: well-formed UTF-8, no member named twice, bounded depth,
 * no `__proto__` or `constructor`, no half of a surrogate pair. JSON.parse alone keeps the last of two members, and
 * broken UTF-8 and lone surrogates become U+FFFD, so that two readers of one document could see two different ids.
 */
import { isUtf8 } from 'node:buffer';

export const MAX_JSON_DEPTH = 16;
/** Of all objects of a document together: many times what any request has. */
export const MAX_JSON_MEMBERS = 1000;

/** The message is public: it states the rule and quotes nothing. */
export class JsonError extends Error {}

/**
 * @param bytes the whole document
 * @throws JsonError
 */
export function parseStrictJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new JsonError('The body is not well-formed UTF-8.');
  const text = bytes.toString('utf8');
  checkStructure(text);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new JsonError('The body is not valid JSON.');
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/**
 * One pass before JSON.parse that follows only strings, braces and brackets. It accepts some texts that are
 * not JSON (JSON.parse refuses those next), but sees every member name of a text that is.
 */
function checkStructure(text: string): void {
  const open: (Set<string> | null)[] = []; // an object's member names, or null for an array
  const hasUnicodeEscapes = text.includes('\\u');
  let members = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      const end = endOfString(text, at);
      if (hasUnicodeEscapes) checkSurrogates(text.slice(at, end + 1));
      const names = open[open.length - 1];
      if (names && isMemberName(text, end)) {
        if (++members > MAX_JSON_MEMBERS) throw new JsonError('The body has too many members.');
        addName(names, text.slice(at, end + 1));
      }
      at = end;
    } else if (char === 0x7b || char === 0x5b) {
      open.push(char === 0x7b ? new Set() : null);
      if (open.length > MAX_JSON_DEPTH)
        throw new JsonError(`The body is nested deeper than ${MAX_JSON_DEPTH} levels.`);
    } else if (char === 0x7d || char === 0x5d) {
      open.pop();
    }
  }
}

/** In well-formed UTF-8 only an escape can be half of a pair. */
function checkSurrogates(quoted: string): void {
  if (/\\ud[89a-f]/i.test(quoted) && !unquote(quoted).isWellFormed())
    throw new JsonError('The body is not well-formed Unicode.');
}

/** Index of the closing quote. indexOf skips a token of a kilobyte in one native call. */
function endOfString(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) throw new JsonError('The body is not valid JSON.');
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}

function isMemberName(text: string, end: number): boolean {
  let next = end + 1;
  while (isWhitespace(text.charCodeAt(next))) next++;
  return text.charCodeAt(next) === COLON;
}

/** Of JSON, RFC 8259 section 2; before a colon JSON.parse lets nothing else pass. */
function isWhitespace(char: number): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}

function addName(names: Set<string>, quoted: string): void {
  const name = quoted.includes('\\') ? unquote(quoted) : quoted.slice(1, -1);
  // The libraries behind this would read them as an object's type, or drop them without a word.
  if (name === '__proto__' || name === 'constructor')
    throw new JsonError('A member of the body has a name that is not allowed.');
  if (names.has(name)) throw new JsonError('The body names a member twice.');
  names.add(name);
}

function unquote(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw new JsonError('The body is not valid JSON.');
  }
}
