/** A session service in a box, for tests of applications: no service, no network, and any state at will. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { IssuedTokens } from './answers.js';
import { SessionClient } from './client.js';
import { answerFor } from './test-routes.js';
import { newKey, TestTenant, type TestLogin, type TestTenantOptions } from './test-tenant.js';
import type { Fetch, TransportOptions } from './transport.js';
import { SessionVerifier } from './verifier.js';
import type { VerifierOptions } from './verifier-options.js';

export type { TestKey, TestLogin, TestSession, TestTenantOptions } from './test-tenant.js';

/** A tenant that issues real tokens, and expires, revokes and rotates as a test wants it. */
export class TestService extends TestTenant {
  private readonly outages = new Set<AbortController>();
  private readonly made: SessionVerifier[] = [];
  private isDown = false;
  private server: Server | null = null;
  private listeningUrl: string | null = null;

  /** Use `createTestTenant`. */
  static async create(options: TestTenantOptions): Promise<TestService> {
    return new TestService(options, await newKey());
  }

  /** For `new SessionClient(...)` and `new SessionVerifier(...)` in the code under test. */
  get settings(): TransportOptions & { tenantId: string; apiKey: string } & Pick<
      VerifierOptions,
      'issuer' | 'audience' | 'nowMs'
    > {
    const { tenantId, apiKey, issuer, audience, nowMs } = this;
    const where =
      this.listeningUrl === null
        ? { url: 'https://sessions.test', fetch: this.fetch }
        : { url: this.listeningUrl };
    return { ...where, tenantId, apiKey, issuer, audience, nowMs };
  }

  verifier(options: Partial<VerifierOptions> = {}): SessionVerifier {
    const verifier = new SessionVerifier({ ...this.settings, ...options });
    this.made.push(verifier);
    return verifier;
  }

  client(options: Partial<TransportOptions> = {}): SessionClient {
    return new SessionClient({ ...this.settings, ...options });
  }

  /** A new session with both tokens, as after a login. */
  async login(login?: TestLogin): Promise<IssuedTokens> {
    const session = this.newSession(login);
    return {
      sessionId: session.sessionId,
      accessToken: await this.accessToken(session),
      refreshToken: session.refreshToken,
      expiresInSeconds: this.accessTokenSeconds,
      refreshExpiresInSeconds: this.refreshTokenSeconds,
    };
  }

  /** An access token of the session whose time is over. */
  async expired({ sessionId }: Pick<IssuedTokens, 'sessionId'>): Promise<string> {
    const session = this.sessions.get(sessionId);
    if (!session) throw new Error('this session has ended');
    const started = this.nowSeconds - this.accessTokenSeconds - 1;
    return this.accessToken(session, { iat: started, nbf: started, exp: this.nowSeconds - 1 });
  }

  /** Ends a session. Verifiers refuse its tokens from a moment later on: wait with `eventually` of your test runner. */
  revoke({ sessionId }: Pick<IssuedTokens, 'sessionId'>): void {
    this.endSession(sessionId);
  }

  /** From here on nothing answers, and what was connected is cut. */
  goDown(): void {
    this.isDown = true;
    for (const outage of this.outages) outage.abort(new TypeError('the test service is down'));
    this.outages.clear();
  }

  comeBack(): void {
    this.isDown = false;
  }

  /** In place of the network. */
  fetch: Fetch = async (input, init) => {
    if (this.isDown) throw new TypeError('the test service is down');
    const outage = new AbortController();
    this.outages.add(outage);
    const signal = init?.signal ? AbortSignal.any([init.signal, outage.signal]) : outage.signal;
    const answer = await answerFor(this, new Request(input, { ...init, signal }));
    if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) this.outages.delete(outage);
    return answer;
  };

  /** Listens on a free port of this machine, for code in another process. @returns where */
  async listen(): Promise<string> {
    const server = createServer((request, response) => void this.serve(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.server = server;
    this.listeningUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return this.listeningUrl;
  }

  /** Closes the verifiers that it made, and its port. */
  async close(): Promise<void> {
    for (const verifier of this.made) verifier.close();
    this.server?.closeAllConnections();
    await new Promise<void>((resolve) => (this.server ? this.server.close(() => resolve()) : resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const headers = Object.entries(request.headers).map(
        ([name, value]) => [name, String(value)] as [string, string],
      );
      const answer = await this.fetch(`http://127.0.0.1${request.url ?? '/'}`, {
        method: request.method ?? 'GET',
        headers: headers.filter(([name]) => name !== 'connection' && name !== 'content-length'),
        ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
        signal: gone.signal,
      });
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      if (answer.body) await pipeline(Readable.fromWeb(answer.body as never), response);
      else response.end();
    } catch {
      response.destroy();
    }
  }
}

/** A tenant of its own for a test or a suite. */
export async function createTestTenant(options: TestTenantOptions = {}): Promise<TestService> {
  return TestService.create(options);
}
