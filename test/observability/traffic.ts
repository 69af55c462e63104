/** A little of everything that an instance can be asked, good and bad, over and over until it is stopped. */
import { request } from 'node:http';
import { ADMIN_API_KEY } from '../support/test-service.js';

const PAUSE_MS = 20;

interface Tokens {
  session_id: string;
  access_token: string;
  refresh_token: string;
}

export class Traffic {
  private stopped = false;
  private running: Promise<void> = Promise.resolve();

  private constructor(
    private readonly urls: readonly string[],
    readonly tenantId: string,
    private apiKey: string,
  ) {}

  static async start(urls: readonly string[], tenantId: string): Promise<Traffic> {
    const traffic = new Traffic(urls, tenantId, ADMIN_API_KEY);
    const made = await traffic.call<{ api_key: string }>('POST', '/tenants', { tenant_id: tenantId });
    traffic.apiKey = made.api_key;
    traffic.running = traffic.goOn();
    return traffic;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async goOn(): Promise<void> {
    for (let round = 0; !this.stopped; round++) {
      await this.round(`user-${round % 50}`);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  private async round(user: string): Promise<void> {
    const tenant = `/tenants/${this.tenantId}`;
    const create = () =>
      this.call<Tokens>('POST', '/sessions', { tenant_id: this.tenantId, user_id: user, scope: 'read' });
    const [one, two, three] = [await create(), await create(), await create()];
    for (const check of ['replica', 'store', 'skip']) {
      await this.call('POST', '/sessions/validate', {
        access_token: one.access_token,
        revocation_check: check,
      });
    }
    await this.call('POST', '/sessions/validate', { access_token: 'nonsense' });
    const next = await this.call<Tokens>('POST', '/sessions/refresh', { refresh_token: one.refresh_token });
    await this.call('POST', '/sessions/refresh', { refresh_token: one.refresh_token }); // repeated
    await this.call('POST', '/sessions/refresh', { refresh_token: next.refresh_token });
    await this.call('POST', '/sessions/refresh', { refresh_token: one.refresh_token }); // reused
    await this.call('POST', '/sessions/revoke', { token: two.access_token, reason: 'user_logout' });
    await this.call('POST', '/sessions/validate', { access_token: two.access_token });
    await this.call('POST', '/sessions/revoke-batch', { session_ids: ['unknown'], reason: 'admin' });
    await this.call('GET', `/sessions/${three.session_id}`);
    await this.call('GET', `/sessions?tenant_id=${this.tenantId}&user_id=${user}`);
    await this.call('DELETE', `/sessions/${three.session_id}`);
    await create(); // stays alive
    for (const path of [
      `${tenant}/jwks`,
      `${tenant}/keys`,
      `${tenant}/api-keys`,
      '/nowhere',
      '/health/ready',
    ]) {
      await this.call('GET', path);
    }
    await this.call('POST', '/sessions/validate', '{');
    await this.call('GET', `${tenant}/keys`, undefined, 'nonsense');
    this.leave();
  }

  /** Each call goes to another instance, so that each hears of the other's changes. */
  private calls = 0;

  private async call<T>(method: string, path: string, body?: unknown, apiKey = this.apiKey): Promise<T> {
    const answer = await fetch(this.nextUrl() + path, {
      method,
      headers: {
        'x-api-key': apiKey,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return (text.startsWith('{') ? JSON.parse(text) : {}) as T;
  }

  /** Asks, and does not wait for the answer. */
  private leave(): void {
    const asked = request(`${this.nextUrl()}/sessions`, {
      method: 'POST',
      headers: { 'x-api-key': this.apiKey },
    });
    asked.on('error', () => undefined);
    asked.flushHeaders();
    setTimeout(() => asked.destroy(), PAUSE_MS);
  }

  private nextUrl(): string {
    return this.urls[this.calls++ % this.urls.length] ?? '';
  }
}
