/**
 * Limits how often one source address may present credentials that are not good. Only failures count, and only
 * failures are refused: whoever shares the address and has a good key is served.
 */
import { isIPv6 } from 'node:net';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { rateLimit, TokenBucket, type RateLimit } from './rate-limit.js';

/** Those that failed last. Who fails from more addresses than this has not been slowed down by this anyway. */
const MAX_ADDRESSES = 10_000;

@Injectable()
export class FailedAuthentications {
  private readonly limit: RateLimit | null;
  private readonly buckets = new LRUCache<string, TokenBucket>({ max: MAX_ADDRESSES });

  constructor(
    { failedAuthPerSecond, rateLimits }: Config,
    private readonly clock: Clock,
  ) {
    this.limit = rateLimit(failedAuthPerSecond, rateLimits.rateLimitBurstSeconds);
  }

  /** Counts a failure. @returns seconds to wait when there were too many, else null */
  count(address: string): number | null {
    if (!this.limit) return null;
    const source = sourceOf(address);
    const nowMs = this.clock.monotonicMs();
    const bucket = this.buckets.get(source) ?? new TokenBucket(this.limit, nowMs);
    this.buckets.set(source, bucket);
    if (!bucket.admits(1, nowMs)) return bucket.secondsUntil(1);
    bucket.take(1);
    return null;
  }
}

/** One machine's IPv6 network is a /64 at least: its addresses are one source. An IPv4 address is itself. */
export function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [before = '', after] = (address.split('%')[0] ?? '').split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...tail];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
