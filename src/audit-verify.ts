/**
 * `npm run audit:verify`: has the running service verify audit chains, and names the first entry of each that was
 * changed, removed or moved. To be run with the service's own environment.
 *
 *   npm run audit:verify                               every tenant
 *   npm run audit:verify -- acme globex                these
 *   npm run audit:verify -- acme --expect 42:2c26...   and that the chain held this head, written down elsewhere
 *
 * Exits with 0 when all are intact, 1 when one is not, 2 when that could not be found out.
 */
import { parseConfig, readEnvironment } from './config.js';
import { withDevelopmentSecrets } from './first-boot.js';

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

/** Why there is no verdict, in a sentence for the operator. */
class VerifyError extends Error {}

class Service {
  constructor(
    private readonly url: string,
    private readonly adminApiKey: string,
  ) {}

  async get(path: string): Promise<Readonly<Record<string, unknown>>> {
    let answer: Response;
    try {
      answer = await fetch(this.url + path, {
        headers: { 'x-api-key': this.adminApiKey },
        redirect: 'error',
      });
    } catch {
      throw new VerifyError(`The service does not answer at ${this.url}: check PUBLIC_URL.`);
    }
    const body = (await answer.json().catch(() => ({}))) as Readonly<Record<string, unknown>>;
    if (answer.status === 200) return body;
    if (answer.status === 401) {
      throw new VerifyError(
        `The service at ${this.url} does not know this platform key: check ADMIN_API_KEY.`,
      );
    }
    const { error_description: description } = body;
    throw new VerifyError(
      typeof description === 'string'
        ? `The service at ${this.url} answers ${answer.status} for ${path}: ${description}`
        : `What answers at ${this.url} is not this service: check PUBLIC_URL.`,
    );
  }

  async *tenants(): AsyncGenerator<string> {
    let query = '';
    do {
      const page = await this.get(`/tenants?limit=200${query}`);
      for (const { tenant_id: tenantId } of page['tenants'] as { tenant_id: string }[]) yield tenantId;
      query = typeof page['next_cursor'] === 'string' ? `&cursor=${page['next_cursor']}` : '';
    } while (query !== '');
  }
}

async function main(): Promise<void> {
  const { tenantIds, expected } = readArguments(process.argv.slice(2));
  const env = readEnvironment();
  const complete = env['NODE_ENV'] === 'production' ? env : withDevelopmentSecrets(env);
  const service = new Service(parseConfig(complete).publicUrl, complete['ADMIN_API_KEY']?.trim() ?? '');
  let exitCode = 0;
  for await (const tenantId of tenantIds.length > 0 ? tenantIds : service.tenants()) {
    const verdict = await verify(service, tenantId, expected);
    exitCode = Math.max(exitCode, exitCodeOf(verdict));
    process.stdout.write(`${verdict.lines.join('\n')}\n`);
  }
  process.exitCode = exitCode;
}

function exitCodeOf({ intact }: Verdict): number {
  if (intact === null) return 2;
  return intact ? 0 : 1;
}

function readArguments(args: readonly string[]): { tenantIds: string[]; expected: string | undefined } {
  const at = args.indexOf('--expect');
  const expected = at < 0 ? undefined : args[at + 1];
  const tenantIds = args.filter((_, index) => at < 0 || (index !== at && index !== at + 1));
  if (at >= 0 && (tenantIds.length !== 1 || !/^\d{1,15}:[0-9a-f]{64}$/.test(expected ?? ''))) {
    throw new VerifyError('--expect takes <seq>:<hash>, of one tenant that is named.');
  }
  if (tenantIds.some((tenantId) => tenantId.startsWith('-'))) {
    throw new VerifyError('Usage: npm run audit:verify -- [tenant ...] [--expect <seq>:<hash>]');
  }
  return { tenantIds, expected };
}

async function verify(service: Service, tenantId: string, expected: string | undefined): Promise<Verdict> {
  const expect = expected === undefined ? '' : `&expect=${expected}`;
  const path = `/tenants/${encodeURIComponent(tenantId)}/audit/verification?`;
  const losses: Head[] = [];
  let signed: Stretch['signed_through'];
  let cursor = '';
  let from: number | undefined;
  let seen = expected === undefined;
  for (;;) {
    const stretch = (await service.get(path + cursor + expect)) as unknown as Stretch;
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
    cursor = `&cursor=${stretch.next_cursor}`;
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

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 2;
});
