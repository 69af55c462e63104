/** Other texts that a lenient reader would take for the same token. */

export const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Texts that decode to the same bytes: the last character of a segment has bits to spare. */
export function looseEnds(segment: string): string[] {
  const spareBits = { 0: 0, 2: 4, 3: 2 }[segment.length % 4] ?? 0;
  const last = BASE64URL.indexOf(segment.at(-1) ?? '');
  const variants = 2 ** spareBits;
  const first = last - (last % variants);
  return Array.from({ length: variants }, (_, at) => first + at)
    .filter((index) => index !== last)
    .map((index) => segment.slice(0, -1) + BASE64URL.charAt(index));
}

/** What Node's decoder skips, ends at or reads as something else. */
const FOREIGN = ['=', '==', ' ', '\t', '\n', '\r\n', '\0', '!', '%', '~', 'é', '\u00a0', '\u200b', '\ufeff'];

export function respell(token: string): string[] {
  const segments = token.split('.');
  const withSegment = (at: number, text: string) => segments.with(at, text).join('.');
  const ofSegments = segments.flatMap((segment, at) => {
    const half = Math.floor(segment.length / 2);
    const bytes = Buffer.from(segment, 'base64url');
    return [
      ...looseEnds(segment),
      ...FOREIGN.map((foreign) => segment + foreign),
      ...FOREIGN.map((foreign) => segment.slice(0, half) + foreign + segment.slice(half)),
      bytes.toString('base64'),
      bytes.toString('hex'),
      segment.replaceAll('-', '+').replaceAll('_', '/'),
      encodeURIComponent(bytes.toString('base64')),
      `${segment}A`,
      `${segment}AAAA`,
      segment.slice(0, -1),
      '',
    ].map((text) => withSegment(at, text));
  });
  const ofToken = [
    ...FOREIGN.map((foreign) => foreign + token),
    `Bearer ${token}`,
    `bearer ${token}`,
    `"${token}"`,
    `'${token}'`,
    `${token}.`,
    `.${token}`,
    `${token}.${segments[2]}`,
    `${token};${token}`,
    `${token},${token}`,
    token.replaceAll('.', '..'),
    token.replaceAll('.', '%2e'),
    token.replaceAll('.', '\u3002'),
    token.replaceAll('.', '\uff0e'),
    token.replaceAll('.', ' . '),
    token.toUpperCase(),
    token.toLowerCase(),
    segments.toReversed().join('.'),
    segments.slice(0, 2).join('.'),
    Buffer.from(token).toString('base64url'),
    '..',
    '.',
    '',
  ];
  return [...new Set([...ofSegments, ...ofToken])].filter((text) => text !== token);
}
