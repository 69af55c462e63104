// A session's life against a running service: created, validated, refreshed, revoked, refused. Run by `helm test`.
const url = process.env.SERVICE_URL;
const tenantId = `helm-test-${Date.now().toString(36)}`;

async function call(method, path, apiKey, body) {
  const response = await fetch(url + path, {
    method,
    headers: { 'x-api-key': apiKey, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : {} };
}

function expect(what, { status, body }, wanted) {
  // The error's code alone: answers hold tokens.
  if (status !== wanted) throw new Error(`${what}: ${status} ${body.error ?? ''}, wanted ${wanted}`);
  process.stdout.write(`ok  ${what}\n`);
  return body;
}

async function liveAndDie(apiKey) {
  const session = { tenant_id: tenantId, user_id: 'helm-test', scope: 'test' };
  const first = expect('create', await call('POST', '/sessions', apiKey, session), 201);
  const validate = (revocation_check, access_token) =>
    call('POST', '/sessions/validate', apiKey, { access_token, revocation_check });
  expect('validate', await validate('replica', first.access_token), 200);
  const refresh = { refresh_token: first.refresh_token };
  const second = expect('refresh', await call('POST', '/sessions/refresh', apiKey, refresh), 200);
  expect('public keys', await call('GET', `/tenants/${tenantId}/jwks`, apiKey), 200);
  const revoke = { token: second.refresh_token, reason: 'other' };
  expect('revoke', await call('POST', '/sessions/revoke', apiKey, revoke), 204);
  expect('refused once revoked', await validate('store', second.access_token), 401);
}

const admin = process.env.ADMIN_API_KEY;
expect('ready', await call('GET', '/health/ready', admin), 200);
const tenant = expect('tenant', await call('POST', '/tenants', admin, { tenant_id: tenantId }), 201);
try {
  await liveAndDie(tenant.api_key?.api_key ?? tenant.api_key);
} finally {
  expect('tenant deleted', await call('DELETE', `/tenants/${tenantId}`, admin), 204);
}
