/**
 * `audit verify`: has the running service verify audit chains, and names the first entry of each that was changed,
 * removed or moved. It ends with 0 when all are intact, 1 when one is not, 2 when that could not be found out.
 */
import { CommandError, UsageError } from './failure.js';
import type { Invocation } from './invocation.js';
import { segment, type Json, type Service } from './service.js';

interface Head {
  readonly seq: number;
  readonly hash: string;
}

interface Stretch {
  readonly intact: boolean;
  readonly from: number;
  readonly through: number;
  readonly problem?: { readonly seq: number; readonly description: string };
  readonly losses: readonly Head[];
  readonly signed_through?: Head & {
    readonly time: string;
    readonly kid: string;
    readonly thumbprint: string;
  };
  readonly expected_seen?: boolean;
  readonly head: Head;
  readonly next_cursor?: string;
}

interface Verdict {
  /** null: what was expected could not be compared. */
  readonly intact: boolean | null;
  readonly lines: readonly string[];
}

interface Outcome extends Verdict {
  readonly tenant_id: string;
}

const CODES = { intact: 0, broken: 1, unknown: 2 } as const;

/** @returns the exit code */
export async function verifyAudits(
  cli: Invocation,
  named: readonly string[],
  expected: string | undefined,
): Promise<number> {
  if (expected !== undefined && (named.length !== 1 || !/^\d{1,15}:[0-9a-f]{64}$/.test(expected))) {
    throw new UsageError('--expect takes <seq>:<hash>, of one tenant that is named.');
  }
  try {
    const service = cli.service(named.length > 0 ? 'either' : 'platform');
    const outcomes: Outcome[] = [];
    for await (const tenantId of named.length > 0 ? named : tenantsOf(service)) {
      cli.progress.say(`verifying ${tenantId}`);
      const verdict = await verify(service, tenantId, expected);
      outcomes.push({ tenant_id: tenantId, ...verdict });
      if (!cli.asJson) cli.print(`${verdict.lines.join('\n')}\n`);
    }
    if (cli.asJson) cli.show({ tenants: outcomes }, () => '');
    return Math.max(0, ...outcomes.map(codeOf));
  } catch (error) {
    throw error instanceof CommandError ? new CommandError(error.message, CODES.unknown) : error;
  }
}

function codeOf({ intact }: Verdict): number {
  if (intact === null) return CODES.unknown;
  return intact ? CODES.intact : CODES.broken;
}

async function* tenantsOf(service: Service): AsyncGenerator<string> {
  for await (const page of service.pages<Json>('/tenants', 'tenants', { limit: 200 })) {
    yield* page.map((tenant) => String(tenant['tenant_id']));
  }
}

async function verify(service: Service, tenantId: string, expected: string | undefined): Promise<Verdict> {
  const path = `/tenants/${segment(tenantId)}/audit/verification`;
  const losses: Head[] = [];
  let signed: Stretch['signed_through'];
  let cursor: string | undefined;
  let from: number | undefined;
  let seen = expected === undefined;
  for (;;) {
    const stretch = await service.call<Stretch>('GET', path, { query: { cursor, expect: expected } });
    from ??= stretch.from;
    signed = stretch.signed_through ?? signed;
    losses.push(...stretch.losses);
    seen ||= stretch.expected_seen === true;
    if (stretch.problem || stretch.next_cursor === undefined) {
      return describe(tenantId, seen, {
        ...stretch,
        from,
        losses,
        ...(signed ? { signed_through: signed } : {}),
      });
    }
    cursor = stretch.next_cursor;
  }
}

function describe(tenantId: string, seen: boolean, stretch: Stretch): Verdict {
  const { problem, losses, from, through, signed_through: signed, head } = stretch;
  const intact = !problem && losses.length === 0;
  const compared = seen || !intact;
  const lines = [
    problem
      ? `${tenantId}: BROKEN at entry ${problem.seq}. ${problem.description}`
      : `${tenantId}: entries ${from} to ${through} are as they were written.`,
    ...losses.map(
      ({ seq }) => `${tenantId}: BROKEN. The service noticed that the chain no longer held entry ${seq}.`,
    ),
    signed
      ? `${tenantId}: signed through entry ${signed.seq} at ${signed.time} by key ${signed.kid}, thumbprint ${signed.thumbprint}.`
      : `${tenantId}: no signature of a present key vouches for it.`,
    ...(compared ? [] : [`${tenantId}: the expected head is older than what is kept; it was NOT compared.`]),
    `${tenantId}: ends at ${head.seq}:${head.hash}`,
  ];
  return { intact: compared ? intact : null, lines };
}
