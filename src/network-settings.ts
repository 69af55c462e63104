/** Settings that speak of networks, parsed: proxies to believe, origins of web pages. Messages never quote a value. */
import { isIP } from 'node:net';

/** Whose X-Forwarded-For is believed. No `true` and no number of hops: either would believe an address that the client has made up. */
export function parseTrustProxy(text: string): string[] {
  const parts = splitList(text);
  const isNetwork = (part: string): boolean => {
    const [address = '', bits, ...more] = part.split('/');
    const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
    return more.length === 0 && most > 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && +bits <= most));
  };
  const isName = (part: string): boolean => ['loopback', 'linklocal', 'uniquelocal'].includes(part);
  if (!parts.every((part) => isName(part) || isNetwork(part))) {
    throw new Error(
      'must be a comma-separated list of addresses, networks such as 10.0.0.0/8, loopback, linklocal or uniquelocal',
    );
  }
  return parts;
}

/** Origins of web pages, as browsers send them. */
export function parseOrigins(text: string): string[] {
  const origins = splitList(text);
  const isOrigin = (part: string): boolean =>
    part === '*' || (/^https?:/.test(part) && URL.canParse(part) && new URL(part).origin === part);
  if (!origins.every(isOrigin)) {
    throw new Error('must be a comma-separated list of origins such as https://app.example.com, or *');
  }
  return origins;
}

function splitList(text: string): string[] {
  return text.split(',').map((part) => part.trim());
}
