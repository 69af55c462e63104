// oidc-provider as its documentation shows: introspection of its (opaque) access tokens, and refresh with rotation,
// models in Redis. Sessions are made through its models, because its way to make one is a person at a login page.
// A refresh also signs an RS256 ID token, as the scope `openid` says.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { Provider } from 'oidc-provider';
import { announce } from './announce.mjs';
import { redisAdapter } from './oidc-redis-adapter.mjs';

const sessions = Number(process.env.SESSIONS);
const redis = new Redis(process.env.REDIS_URL, { keyPrefix: 'oidc:' });
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const client = {
  client_id: 'bench',
  client_secret: 'secret-of-this-benchmark',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  redirect_uris: ['https://localhost/callback'],
};

const provider = new Provider('http://localhost:3000', {
  adapter: redisAdapter(redis),
  clients: [client],
  cookies: { keys: [randomBytes(16).toString('hex')] },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' }] },
  features: {
    introspection: { enabled: true, allowedPolicy: async () => true },
    devInteractions: { enabled: false },
  },
  findAccount: async (_context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  rotateRefreshToken: true,
  ttl: { AccessToken: 7200, RefreshToken: 2_592_000, IdToken: 7200, Grant: 2_592_000 },
});

const common = { client: await provider.Client.find('bench'), scope: 'openid offline_access' };

async function startSession(at) {
  const accountId = `user-${at}`;
  const grant = new provider.Grant({ accountId, clientId: 'bench' });
  grant.addOIDCScope(common.scope);
  const grantId = await grant.save();
  const now = Math.floor(Date.now() / 1000);
  const shared = { ...common, accountId, grantId, gty: 'authorization_code', authTime: now };
  const access = await new provider.AccessToken(shared).save();
  const refresh = await new provider.RefreshToken(shared).save();
  return { access, refresh };
}

const tokens = [];
for (let at = 0; at < sessions; at++) tokens.push(await startSession(at));
const server = provider.listen(0, '127.0.0.1', () => announce(server.address().port, { tokens }));
