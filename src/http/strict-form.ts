/**
 * Forms (`application/x-www-form-urlencoded`) with one reading, as RFC 6749 appendix B has them: percent-encoded UTF-8
 * in ASCII, no parameter twice. Readers of URLs keep one of two, guess encodings and turn what is broken into U+FFFD.
 */

/** Many times what any request has. */
export const MAX_FORM_PARAMETERS = 32;

/** The message is public: it states the rule and quotes nothing. */
export class FormError extends Error {}

/** The parameters of a form. Unlike a JSON body it has no members: nobody takes them for something else. */
export class FormBody {
  readonly #parameters: ReadonlyMap<string, string>;

  constructor(parameters: ReadonlyMap<string, string>) {
    this.#parameters = parameters;
  }

  /** RFC 6749 section 3.1: a parameter without a value counts as left out. */
  get(name: string): string | undefined {
    return this.#parameters.get(name) || undefined;
  }
}

/** @throws FormError */
export function parseStrictForm(bytes: Buffer): FormBody {
  const text = bytes.toString('latin1');
  if (!/^[\x21-\x7e]*$/.test(text)) throw new FormError('The body is not percent-encoded.');
  const parameters = new Map<string, string>();
  if (text === '') return new FormBody(parameters);
  const pairs = text.split('&', MAX_FORM_PARAMETERS + 1);
  if (pairs.length > MAX_FORM_PARAMETERS) throw new FormError('The body has too many parameters.');
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = decodeFormText(equals < 0 ? pair : pair.slice(0, equals));
    if (name === '') throw new FormError('The body has a parameter without a name.');
    if (parameters.has(name)) throw new FormError('The body names a parameter twice.');
    parameters.set(name, equals < 0 ? '' : decodeFormText(pair.slice(equals + 1)));
  }
  return new FormBody(parameters);
}

/** @throws FormError for what is not the percent-encoding of well-formed UTF-8 */
export function decodeFormText(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new FormError('The body is not percent-encoded UTF-8.');
  }
}
