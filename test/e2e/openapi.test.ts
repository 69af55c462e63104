import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError, ERRORS, type ErrorCode } from '../../src/errors.js';
import { toOAuthError } from '../../src/http/oauth-errors.js';
import { TestService } from '../support/test-service.js';
import { buildOnce } from '../support/service-process.js';
import { runBuilt, type ServiceProcess } from './built-service.js';
import { routesOf, type Route } from './routes.js';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly example?: unknown;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Media {
  readonly schema: Schema;
  readonly examples?: Readonly<Record<string, { value: Record<string, unknown> }>>;
}

type Content = Readonly<Record<string, Media>>;

interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly security?: readonly Record<string, string[]>[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { description: string; content?: Content }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
}

// Read when the tests are defined, so that each operation has a test of its own.
const committed: Document = JSON.parse(
  readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'),
);

const OPERATIONS = Object.entries(committed.paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    operation,
  })),
);

describe('the document', () => {
  let directory: string;
  let service: ServiceProcess;
  let url: string;
  let routes: Route[];

  beforeAll(async () => {
    const inside = await TestService.start();
    routes = routesOf(inside.app);
    await inside.stop();
    buildOnce();
    directory = mkdtempSync(join(tmpdir(), 'service-openapi-'));
    service = runBuilt(directory, { STORE_URL: 'sqlite::memory:' });
    url = await service.listening();
  });

  afterAll(async () => {
    await service.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('that is committed is the one that is served: if not, run "npm run openapi"', async () => {
    const answer = await fetch(`${url}/docs/openapi.json`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual(committed);
  });

  test('has a page to read and try it on', async () => {
    const answer = await fetch(`${url}/docs`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/html/);
    const page = await answer.text();
    expect(page).toContain('swagger-ui');
    for (const [, script = ''] of page.matchAll(/<script src="([^"]+)"/g)) {
      expect((await fetch(new URL(script, `${url}/docs`))).status).toBe(200);
    }
    // Nothing of the page is kept from running by the page's own policy.
    expect(answer.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(page).not.toMatch(/<script>|<script src="https?:/);
  });

  test('is the only one that its page reads, whatever the address says', async () => {
    const elsewhere = '?url=https://attacker.example/x.json&configUrl=https://attacker.example/c.json';
    for (const path of [`/docs${elsewhere}`, `/docs/swagger-ui-init.js${elsewhere}`]) {
      const answer = await fetch(url + path);
      const text = await answer.text();
      expect(answer.status).toBe(200);
      expect(text).not.toContain('attacker.example');
      expect(text).not.toMatch(/queryConfigEnabled["']?\s*:\s*true/);
    }
  });

  test('has every route, and every route is in it', () => {
    // OpenAPI has no paths of any length and no operations of any method: what needs them is in docs/gateways.md.
    const describable = routes.map(({ name }) => name).filter((name) => !/^ALL |\*/.test(name));
    expect(routes.length - describable.length).toBe(1);
    expect(OPERATIONS.map(({ name }) => name).toSorted()).toEqual(describable.toSorted());
  });

  test('gives each operation an id of its own', () => {
    const ids = OPERATIONS.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('describes the credentials', () => {
    expect(committed.components.securitySchemes).toEqual({
      api_key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      oauth_client: { type: 'http', scheme: 'basic', description: expect.stringContaining('client_secret') },
      metrics_token: { type: 'http', scheme: 'bearer', description: 'METRICS_TOKEN, where it is set.' },
    });
  });

  test('has every error of the table that a route can answer with', () => {
    const documented = OPERATIONS.flatMap(({ operation }) =>
      Object.values(operation.responses).flatMap(({ content }) =>
        Object.keys(content?.['application/json']?.examples ?? {}),
      ),
    );
    // These three can happen to any request: they are in docs/errors.md.
    const anywhere = ['internal_error', 'rate_limited', 'unsupported_media_type'];
    expect([...new Set([...documented, ...anywhere])].toSorted()).toEqual(Object.keys(ERRORS).toSorted());
  });

  describe.each(OPERATIONS)('of $name', ({ name, operation }) => {
    const isPublic = () => routes.find((route) => route.name === name)?.policy?.who === 'anyone';
    const speaksOAuth = name.includes('/oauth/');

    test('says in a sentence what it does', () => {
      expect(operation.summary).toMatch(/^[A-Z].{8,}\.$/);
    });

    test('asks for a credential unless it is public', () => {
      const ofPublic = name === 'GET /metrics' ? [{ metrics_token: [] }, {}] : undefined;
      const ofOthers = speaksOAuth ? [{ api_key: [] }, { oauth_client: [] }] : [{ api_key: [] }];
      expect(operation.security).toEqual(isPublic() ? ofPublic : ofOthers);
    });

    test('lists what can go wrong, once, with an example of each', () => {
      const errors = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400);
      expect(errors.map(([status]) => status)).toEqual(
        expect.arrayContaining(isPublic() ? [] : ['401', speaksOAuth ? '400' : '403', '503']),
      );
      if (operation.requestBody) expect(Object.keys(operation.responses)).toContain('400');
      if (name.startsWith('GET /health')) return; // reports, not errors of the table
      for (const [status, { description, content }] of errors) {
        const examples = content?.['application/json']?.examples ?? {};
        expect(Object.keys(examples)).not.toEqual([]);
        for (const [code, { value }] of Object.entries(examples)) {
          const row = new AppError(code as ErrorCode);
          const said = speaksOAuth ? toOAuthError(row) : row;
          expect({ code, status: said.status }).toEqual({ code, status: Number(status) });
          expect(value).toMatchObject({ ...said.answer, request_id: expect.any(String) });
        }
        const mentioned = [...description.matchAll(/`(\w+)`: /g)].map(([, code]) => code);
        expect(new Set(mentioned).size).toBe(mentioned.length);
      }
    });

    test('has an example of every member that it takes and gives', () => {
      const contents = [operation.requestBody?.content, ...successes(operation)];
      const missing = contents.flatMap((content) =>
        withoutExample(content?.['application/json']?.schema, name),
      );
      expect(missing).toEqual([]);
    });

    test('describes the body of its answer', () => {
      const codes = Object.keys(operation.responses).filter((status) => Number(status) < 300);
      expect(codes).toHaveLength(1);
      if (codes[0] === '204') return;
      const [content = {}] = successes(operation);
      expect(Object.values(content)[0]?.schema).toBeTruthy();
    });
  });
});

function successes(operation: Operation): (Content | undefined)[] {
  return Object.entries(operation.responses)
    .filter(([status]) => Number(status) < 300)
    .map(([, { content }]) => content);
}

/** @returns the members, as paths, for which a reader would have to guess */
function withoutExample(schema: Schema | undefined, path: string): string[] {
  if (!schema || 'example' in schema || schema.enum || schema.type === 'boolean') return [];
  const referred = schema.$ref ?? schema.allOf?.[0]?.$ref ?? schema.items?.$ref;
  if (referred) return withoutExample(committed.components.schemas[referred.split('/').at(-1) ?? ''], path);
  if (schema.properties) {
    return Object.entries(schema.properties).flatMap(([name, member]) =>
      withoutExample(member, `${path} ${name}`),
    );
  }
  return [path];
}
