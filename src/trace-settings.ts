/** The rules of OpenTelemetry's standard variables, as far as this service reads them itself. */

export const TRACE_SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type TraceSampler = (typeof TRACE_SAMPLERS)[number];

/** RFC 9110, 5.6.2: what a header's name is made of. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** `name=value` pairs separated by commas, values percent-encoded. @throws Error whose message is the rule */
export function parseOtlpHeaders(text: string): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      const name = pair.slice(0, at).trim();
      const value = decoded(pair.slice(at + 1).trim());
      if (at < 1 || !HEADER_NAME.test(name) || value === null) {
        throw new Error('must be name=value pairs separated by commas, with percent-encoded values');
      }
      return [name, value];
    }),
  );
}

/** @returns null for what no header may hold */
function decoded(text: string): string | null {
  try {
    const value = decodeURIComponent(text);
    return /^[\x20-\x7e]+$/.test(value) ? value : null;
  } catch {
    return null;
  }
}

/** @throws Error whose message is the rule */
export function parseSampledShare(text: string): number {
  if (/^(0|1|0?\.\d{1,12}|1\.0{1,12})$/.test(text)) return Number(text);
  throw new Error('must be a number from 0 to 1');
}
