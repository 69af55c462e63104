/** A reader of a tenant's revocations, as simple as the contract allows: what it holds is what a client would hold. */
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { eventually } from '../support/eventually.js';
import type { TestService, TestTenant } from '../support/test-service.js';

export interface FeedRevocation {
  readonly id: string;
  readonly kind: string;
  readonly expires_at: number;
}

export interface FeedEvent {
  readonly name: string;
  readonly id: string | undefined;
  readonly data: {
    readonly kids?: string[];
    readonly revocations?: FeedRevocation[];
    readonly complete?: boolean;
    readonly age_ms?: number;
  };
}

interface Wanted {
  readonly apiKey?: string;
  readonly lastEventId?: string | undefined;
  readonly tenantId?: string;
}

export class FeedClient {
  readonly events: FeedEvent[] = [];
  /** All that was ever received. */
  text = '';
  revoked = new Map<string, FeedRevocation>();
  kids: string[] = [];
  ageMs = Number.POSITIVE_INFINITY;
  lastEventId: string | undefined;
  isEnded = false;
  private snapshot: FeedRevocation[] = [];
  private unread = '';

  private constructor(
    private readonly sent: ClientRequest,
    readonly answer: IncomingMessage,
  ) {
    answer.setEncoding('utf8').on('data', (part: string) => this.take(part));
    answer.on('close', () => (this.isEnded = true));
    answer.on('error', () => undefined);
  }

  /** Resolves as soon as the head of the answer is there, whatever it is. */
  static open(
    service: Pick<TestService, 'url'>,
    tenant: TestTenant,
    wanted: Wanted = {},
  ): Promise<FeedClient> {
    const { apiKey = tenant.apiKey, lastEventId, tenantId = tenant.tenantId } = wanted;
    const headers = {
      accept: 'text/event-stream',
      'x-api-key': apiKey,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    };
    return new Promise((resolve, reject) => {
      const url = `${service.url}/tenants/${tenantId}/revocations`;
      const sent = request(url, { headers, agent: false }, (answer) => resolve(new FeedClient(sent, answer)));
      sent.on('error', reject).end();
    });
  }

  /** As `open`, and has been told everything. */
  static async opened(
    service: Pick<TestService, 'url'>,
    tenant: TestTenant,
    wanted: Wanted = {},
  ): Promise<FeedClient> {
    const client = await FeedClient.open(service, tenant, wanted);
    await client.until(() => client.ageMs < Number.POSITIVE_INFINITY);
    return client;
  }

  get status(): number {
    return this.answer.statusCode ?? 0;
  }

  named(name: string): FeedEvent[] {
    return this.events.filter((event) => event.name === name);
  }

  async until(holds: () => boolean): Promise<void> {
    await eventually(async () => holds());
  }

  /** Until it has heard that one. */
  async untilRevoked(id: string): Promise<void> {
    await this.until(() => this.revoked.has(id));
  }

  close(): void {
    this.sent.destroy();
  }

  private take(part: string): void {
    this.text += part;
    this.unread += part;
    for (let end = this.unread.indexOf('\n\n'); end >= 0; end = this.unread.indexOf('\n\n')) {
      const lines = this.unread.slice(0, end).split('\n');
      this.unread = this.unread.slice(end + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      this.hear({
        name: field('event') ?? '',
        id: field('id'),
        data: JSON.parse(field('data') ?? '{}') as FeedEvent['data'],
      });
    }
  }

  private hear(event: FeedEvent): void {
    this.events.push(event);
    const { name, id, data } = event;
    if (id !== undefined) this.lastEventId = id;
    if (name === 'age') this.ageMs = data.age_ms ?? Number.NaN;
    if (name === 'keys') this.kids = data.kids ?? [];
    if (name === 'revoked') for (const one of data.revocations ?? []) this.revoked.set(one.id, one);
    if (name !== 'snapshot') return;
    this.snapshot.push(...(data.revocations ?? []));
    if (!data.complete) return;
    this.revoked = new Map(this.snapshot.map((one) => [one.id, one]));
    this.kids = data.kids ?? [];
    this.snapshot = [];
  }
}
