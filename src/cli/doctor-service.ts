/** What `doctor` asks of the service as a whole. */
import { SystemClock } from '../clock.js';
import { CommandError } from './failure.js';
import type { Finding } from './doctor.command.js';
import { segment, Service, type Json } from './service.js';
import { durationOf } from './terminal.js';

/** A token may come from an instance that is so far ahead. */
const MAX_SKEW_SECONDS = 5;
/** The Date header has no fractions. */
const UNCERTAIN_SECONDS = 2;

export function checkTransport(url: string): Finding {
  const { protocol, hostname } = new URL(url);
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  if (protocol === 'https:') return { level: 'ok', subject: 'transport', finding: 'TLS' };
  if (isLocal) return { level: 'ok', subject: 'transport', finding: 'plain HTTP on this machine' };
  return {
    level: 'warn',
    subject: 'transport',
    finding: 'plain HTTP: API keys and tokens can be read on the way',
    remedy: 'reach it through TLS, or inside a network that you trust',
  };
}

/** What is to be done when one of readiness' parts is down. */
const REMEDIES: Readonly<Record<string, string>> = {
  traffic: 'it is shutting down: ask another instance',
  store: 'look at STORE_URL and at the store; docs/operations.md has a section for each trouble',
  replica: 'wait until it has read the change feed; if that lasts, look at the store',
  keys: 'give the service the master keys that the keys are sealed under (MASTER_KEYS, or Vault)',
};

interface Health {
  readonly status?: string;
  readonly store?: string;
  readonly reason?: string;
}

export async function checkHealth(service: Service): Promise<Finding[]> {
  const findings: Finding[] = [];
  const health = ((await service.ask('GET', '/health')).body ?? {}) as Health;
  const reason = health.reason === undefined ? '' : `: ${health.reason}`;
  const store = 'redis' in health ? 'Redis' : 'SQLite';
  findings.push(
    health.status === 'ok'
      ? { level: 'ok', subject: 'store', finding: `${store} is up, takes writes and evicts nothing` }
      : {
          level: 'fail',
          subject: 'store',
          finding: `${store} is ${health.store ?? 'unknown'}${reason}`,
          remedy: remedyForStore(reason),
        },
  );
  const ready = await service.ask('GET', '/health/ready');
  const { details = {} } = (ready.body ?? {}) as { details?: Readonly<Record<string, Json>> };
  for (const [name, { status, ...more }] of Object.entries(details)) {
    if (name === 'store' && status !== 'up') continue; // told above, with its reason
    const level = ({ up: 'ok', degraded: 'warn' } as const)[String(status)] ?? 'fail';
    const said = Object.entries(more).map(([member, value]) => `${member} ${String(value)}`);
    findings.push({
      level,
      subject: `ready: ${name}`,
      finding: [String(status), ...said].join(', '),
      ...(level === 'ok' ? {} : { remedy: REMEDIES[name] ?? 'see docs/operations.md' }),
    });
  }
  return findings;
}

function remedyForStore(reason: string): string {
  if (/maxmemory-policy/.test(reason)) {
    return 'set it in Redis and its configuration: one that evicts forgets revocations';
  }
  return REMEDIES['store'] ?? '';
}

export async function checkClock(service: Service): Promise<Finding> {
  const clock = new SystemClock();
  const sentMs = clock.nowMs();
  const { headers } = await service.ask('GET', '/health/live');
  const theirsMs = Date.parse(headers.get('date') ?? '');
  const subject = 'clock';
  if (Number.isNaN(theirsMs)) {
    return {
      level: 'warn',
      subject,
      finding: 'it does not say what time it has',
      remedy: 'compare the clocks',
    };
  }
  const seconds = Math.abs(theirsMs + 500 - (sentMs + clock.nowMs()) / 2) / 1000;
  if (seconds <= UNCERTAIN_SECONDS) {
    return { level: 'ok', subject, finding: `less than ${UNCERTAIN_SECONDS} s from this machine's` };
  }
  return {
    level: seconds > MAX_SKEW_SECONDS ? 'fail' : 'warn',
    subject,
    finding: `about ${durationOf(seconds)} from this machine's`,
    remedy: `keep the machines' clocks in step: tokens from more than ${MAX_SKEW_SECONDS} s ahead are refused`,
  };
}

/** @param stranger without an API key */
export async function checkMetrics(stranger: Service): Promise<Finding> {
  const { status } = await stranger.ask('GET', '/metrics');
  if (status === 401) return { level: 'ok', subject: 'metrics', finding: 'ask for METRICS_TOKEN' };
  if (status !== 200) return { level: 'ok', subject: 'metrics', finding: `not to be had here (${status})` };
  return {
    level: 'warn',
    subject: 'metrics',
    finding: 'open to everybody who reaches this address; they name tenants',
    remedy: 'set METRICS_TOKEN, or let only Prometheus reach /metrics',
  };
}

/** Compares the issuer that tokens name with the address that was reached. */
export async function checkPublicUrl(service: Service, tenantId: string): Promise<Finding> {
  const subject = 'public URL';
  const path = `/tenants/${segment(tenantId)}`;
  const { body } = await service.ask('GET', `${path}/.well-known/openid-configuration`);
  const { issuer } = (body ?? {}) as { issuer?: unknown };
  if (typeof issuer !== 'string') {
    const remedy = 'compare PUBLIC_URL with the address that resource servers use';
    return { level: 'warn', subject, finding: 'it does not say which issuer its tokens name', remedy };
  }
  if (issuer === service.url + path) return { level: 'ok', subject, finding: `tokens name ${issuer}` };
  const remedy = `set PUBLIC_URL to the root under which others reach the service`;
  const finding = `tokens name ${issuer}; it was reached at ${service.url}`;
  try {
    const { status } = await new Service(issuer, null).ask('GET', '/jwks');
    if (status === 200) return { level: 'ok', subject, finding: `${finding}, and answers there as well` };
    return { level: 'warn', subject, finding: `${finding}, and has no keys there (${status})`, remedy };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { level: 'warn', subject, finding: `${finding}, and does not answer there from here`, remedy };
  }
}
