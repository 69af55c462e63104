/**
 * helmet's headers, computed once: they are the same for every answer, and asking helmet each time cost a tenth of a
 * validation. Answers of the API are data and get the short form; the documentation is a page and gets all of them.
 */
import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import { fastify } from 'fastify';
import { DOCUMENTATION_PATH } from './openapi.js';

type HeaderFields = Readonly<Record<string, string>>;

/** No browser renders it, frames it or runs it: https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html */
const DATA: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  frameguard: { action: 'deny' },
  crossOriginOpenerPolicy: false,
  dnsPrefetchControl: false,
  ieNoOpen: false,
  originAgentCluster: false,
  permittedCrossDomainPolicies: false,
  xssFilter: false,
};

const PAGE: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    directives: {
      defaultSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      styleSrc: ["'self'", "'unsafe-inline'"], // Swagger UI styles its elements
      upgradeInsecureRequests: null,
    },
  },
};

export class SecurityHeaders {
  private constructor(
    readonly ofData: HeaderFields,
    private readonly ofPage: HeaderFields,
  ) {}

  static async read(): Promise<SecurityHeaders> {
    return new SecurityHeaders(await headersOf(DATA), await headersOf(PAGE));
  }

  /** Of an answer to a request for this URL. */
  for(url: string): HeaderFields {
    return url.startsWith(DOCUMENTATION_PATH) ? this.ofPage : this.ofData;
  }
}

/** Those of helmet, seen on a server of its own. */
async function headersOf(options: FastifyHelmetOptions): Promise<HeaderFields> {
  const answerOf = async (server: ReturnType<typeof fastify>) => {
    server.get('/', async () => '');
    const { headers } = await server.inject('/');
    await server.close();
    return headers;
  };
  const plain = fastify();
  const guarded = fastify();
  await guarded.register(helmet, options);
  const without = await answerOf(plain);
  return Object.fromEntries(
    Object.entries(await answerOf(guarded)).flatMap(([name, value]) =>
      typeof value === 'string' && !(name in without) ? [[name, value]] : [],
    ),
  );
}
