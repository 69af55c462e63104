// This service, with one of its stores: validations with each check, with warm and cold tokens, refused tokens,
// creations and refreshes. Callers authenticate by their API key, as they must.
import { call, many, requestBytes } from '../load/request.mjs';
import { chained, numbered, once, repeating } from '../load/traffic.mjs';
import { ADMIN_API_KEY } from '../servers.mjs';
import { makeCase } from './case.mjs';

export const CHECKS = ['replica', 'store', 'skip'];
const TENANT = 'bench';
/** Longer than a run: nothing expires while it is measured. */
const ACCESS_TOKEN_TTL_SECONDS = 7200;
const STORES = { redis: 'Redis', sqlite: 'SQLite' };

export async function startService(servers, store, storeUrl, plan, env = {}) {
  const server = await servers.service(storeUrl, env);
  const { api_key: apiKey } = await call(server.port, {
    path: '/tenants',
    headers: { 'x-api-key': ADMIN_API_KEY },
    body: { tenant_id: TENANT, access_token_ttl_seconds: ACCESS_TOKEN_TTL_SECONDS },
  });
  return new ServiceContender(server, { 'x-api-key': apiKey }, store, plan);
}

export class ServiceContender {
  #users = 0;

  constructor(server, headers, store, plan) {
    this.server = server;
    this.headers = headers;
    this.store = store;
    this.plan = plan;
    this.name = `this service, ${STORES[store]}`;
  }

  creation() {
    const body = {
      tenant_id: TENANT,
      user_id: `user-${this.#users++}`,
      scope: 'read write',
      metadata: { device: 'laptop', plan: 'pro' },
    };
    return { path: '/sessions', headers: this.headers, body };
  }

  createSessions(count) {
    return many(count, () => call(this.server.port, this.creation()));
  }

  validation(token, check) {
    const body = { access_token: token, ...(check === 'replica' ? {} : { revocation_check: check }) };
    return { path: '/sessions/validate', headers: this.headers, body };
  }

  /** @returns what it answers, so that the ceiling can answer the same */
  async answers() {
    const [issued] = await this.createSessions(1);
    return {
      issued,
      validated: await call(this.server.port, this.validation(issued.access_token, 'replica')),
    };
  }

  async cases() {
    const sessions = await this.createSessions(this.plan.sessions);
    const cases = [...this.#warmValidations(sessions), await this.#creations(), await this.#refreshes()];
    if (this.store === 'sqlite') return cases;
    return [...cases, await this.#coldValidations(sessions), ...(await this.#refusals(sessions))];
  }

  #case(values) {
    return makeCase(this.server, { contender: `service-${this.store}`, kind: 'service', ...values });
  }

  #warm(sessions, check) {
    return repeating(sessions.map((session) => requestBytes(this.validation(session.access_token, check))));
  }

  #warmValidations(sessions) {
    return CHECKS.map((check) =>
      this.#case({
        operation: 'validate',
        variant: check,
        title: `${this.name}, ${check}`,
        traffic: this.#warm(sessions, check),
        expects: '"valid":true',
        inLatency: this.store === 'redis' || check === 'replica',
      }),
    );
  }

  async #creations() {
    return this.#case({
      operation: 'create',
      title: this.name,
      traffic: numbered(() => requestBytes(this.creation()), 201),
      expects: '"refresh_token"',
      inLatency: this.store === 'redis',
    });
  }

  async #refreshes() {
    const sessions = await this.createSessions(this.plan.sessions);
    const toRequest = (refresh_token) =>
      requestBytes({ path: '/sessions/refresh', headers: this.headers, body: { refresh_token } });
    return this.#case({
      operation: 'refresh',
      title: this.name,
      traffic: chained(
        sessions.map((session) => session.refresh_token),
        toRequest,
        (answer) => answer.refresh_token,
      ),
      expects: '"refresh_token"',
      inLatency: this.store === 'redis',
    });
  }

  async #coldValidations(warmSessions) {
    const { rounds, coldTokensPerRound } = this.plan;
    const portions = rounds + 1; // one to warm up with
    const sessions = await this.createSessions(portions * coldTokensPerRound);
    const requests = sessions.map(({ access_token: token }) =>
      requestBytes(this.validation(token, 'replica')),
    );
    return this.#case({
      operation: 'validate',
      variant: 'replica, cold',
      title: `${this.name}, replica, each token seen once`,
      traffic: once(requests, coldTokensPerRound),
      warmUp: this.#warm(warmSessions, 'replica'),
      expects: '"valid":true',
    });
  }

  /** Tokens that cost nothing to make, tokens that cost a signature to refuse, and tokens that were good once. */
  async #refusals(sessions) {
    const revoked = await this.createSessions(Math.min(200, this.plan.sessions));
    await call(this.server.port, {
      path: '/sessions/revoke-batch',
      headers: this.headers,
      body: { session_ids: revoked.map(({ session_id: id }) => id), reason: 'admin' },
    });
    const tokens = {
      malformed: sessions.map(({ access_token: token }) => token.replaceAll('.', '-')),
      'bad signature': sessions.map(({ access_token: token }) => withOtherSignature(token)),
      revoked: revoked.map(({ access_token: token }) => token),
    };
    return Object.entries(tokens).map(([variant, list]) =>
      this.#case({
        operation: 'validate',
        variant: `refused, ${variant}`,
        title: `${this.name}, replica, refused: ${variant}`,
        traffic: repeating(
          list.map((token) => requestBytes(this.validation(token, 'replica'))),
          401,
        ),
        expects: '"valid":false',
      }),
    );
  }
}

/** Well formed, and signed by nobody: the signature's first character is another one. */
function withOtherSignature(token) {
  const at = token.lastIndexOf('.') + 1;
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}
