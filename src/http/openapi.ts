/** The OpenAPI document and its page at /docs. */
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { API_KEY_SCHEME, METRICS_TOKEN_SCHEME, OAUTH_CLIENT_SCHEME } from './access.js';

export const DOCUMENTATION_PATH = '/docs';

/** Of the service and of its interface. */
export const VERSION = '0.1.0';

const DESCRIPTION = [
  'Sessions for many tenants: signed access tokens, rotating refresh tokens, immediate revocation.',
  'Callers send an API key as `X-API-Key`: the platform key for tenants, a tenant key for everything inside a tenant.',
  'Every error has the members `error`, `error_description`, `action` and `request_id`;',
  '`action` says what to do next: `retry`, `refresh`, `reauthenticate`, `fix_request` or `contact_operator`.',
].join('\n');

export function buildDocument(app: NestFastifyApplication): OpenAPIObject {
  const base = new DocumentBuilder()
    .setTitle('Multi-tenant session service')
    .setDescription(DESCRIPTION)
    .setVersion(VERSION)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addApiKey({ type: 'apiKey', in: 'header', name: 'X-API-Key' }, API_KEY_SCHEME)
    .addSecurity(OAUTH_CLIENT_SCHEME, {
      type: 'http',
      scheme: 'basic',
      description: "client_id: an API key's id; client_secret: the whole API key. Or both in the form.",
    })
    .addSecurity(METRICS_TOKEN_SCHEME, {
      type: 'http',
      scheme: 'bearer',
      description: 'METRICS_TOKEN, where it is set.',
    })
    .build();
  return SwaggerModule.createDocument(app, base, {
    operationIdFactory: (controller, method) => `${controller.replace('Controller', '')}_${method}`,
  });
}

export function serveDocumentation(app: NestFastifyApplication): void {
  SwaggerModule.setup(DOCUMENTATION_PATH, app, () => buildDocument(app), {
    jsonDocumentUrl: `${DOCUMENTATION_PATH}/openapi.json`,
    yamlDocumentUrl: `${DOCUMENTATION_PATH}/openapi.yaml`,
    customSiteTitle: 'Multi-tenant session service',
  });
}
