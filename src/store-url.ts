/**
 * `STORE_URL`: the one knob that chooses where sessions live. Parsing only; no store is opened here.
 */

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

interface RedisCredentials {
  readonly username?: string;
  readonly password?: string;
}

export type StoreUrl =
  | { readonly kind: 'sqlite'; readonly path: string }
  | ({ readonly kind: 'redis'; readonly topology: RedisTopology; readonly tls: boolean } & RedisCredentials);

export type RedisTopology =
  | { readonly mode: 'standalone'; readonly node: RedisNode; readonly database: number }
  | { readonly mode: 'sentinel'; readonly sentinels: readonly RedisNode[]; readonly masterName: string }
  | { readonly mode: 'cluster'; readonly nodes: readonly RedisNode[] };

const EXAMPLES =
  'one of sqlite:./data/sessions.db, sqlite::memory:, redis://host:6379, rediss://host:6379, ' +
  'redis+sentinel://h1:26379,h2:26379/mymaster or redis+cluster://h1:6379,h2:6379';

const REDIS_URL =
  /^(?<scheme>rediss?(?:\+sentinel|\+cluster)?):\/\/(?:(?<username>[^:@/]*)(?::(?<password>[^@/]*))?@)?(?<hosts>[^/?#@]+)(?:\/(?<path>[^/?#]*))?$/;

/**
 * @param text the value of `STORE_URL`
 * @throws Error whose message states the rule, never the value (it may hold a password)
 */
export function parseStoreUrl(text: string): StoreUrl {
  if (text.startsWith('sqlite:')) {
    const path = text.slice('sqlite:'.length);
    if (path === '') throw new Error(`must be ${EXAMPLES}`);
    return { kind: 'sqlite', path };
  }
  const parts = REDIS_URL.exec(text)?.groups;
  if (!parts) throw new Error(`must be ${EXAMPLES}`);
  const scheme = parts['scheme'] ?? '';
  const path = parts['path'] ?? '';
  return {
    kind: 'redis',
    tls: scheme.startsWith('rediss'),
    topology: topologyOf(scheme, parts['hosts'] ?? '', path),
    ...credentialsOf(parts['username'], parts['password']),
  };
}

function topologyOf(scheme: string, hosts: string, path: string): RedisTopology {
  if (scheme.endsWith('+sentinel')) {
    if (path === '') throw new Error("must name the master after the sentinels' hosts: .../mymaster");
    return { mode: 'sentinel', sentinels: nodesOf(hosts, 26379), masterName: path };
  }
  if (scheme.endsWith('+cluster')) {
    if (path !== '') throw new Error('must have no path with redis+cluster: a cluster has one database');
    return { mode: 'cluster', nodes: nodesOf(hosts, 6379) };
  }
  if (!/^\d{0,4}$/.test(path)) throw new Error("must have a database number as a redis URL's path");
  const [node, ...more] = nodesOf(hosts, 6379);
  if (!node || more.length > 0)
    throw new Error('must name one host with redis://; use redis+cluster:// for more');
  return { mode: 'standalone', node, database: Number(path || '0') };
}

function nodesOf(hosts: string, defaultPort: number): RedisNode[] {
  return hosts.split(',').map((host) => {
    const match = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(host);
    const port = Number(match?.[2] ?? defaultPort);
    if (!match?.[1] || port < 1 || port > 65535) throw new Error(`must name hosts as host:port, ${EXAMPLES}`);
    return { host: match[1].replace(/^\[|\]$/g, ''), port };
  });
}

function credentialsOf(username?: string, password?: string): RedisCredentials {
  try {
    return {
      ...(username ? { username: decodeURIComponent(username) } : {}),
      ...(password ? { password: decodeURIComponent(password) } : {}),
    };
  } catch {
    throw new Error('must have its user name and password percent-encoded');
  }
}
