import { describe, expect, test } from '@jest/globals';
import { changeTenant, settingsOf, TENANT_ID, type Tenant } from '../../src/tenants/tenant.js';

const T0 = 1_800_000_000_000;
const DEFAULTS = {
  accessTokenTtlSeconds: 900,
  refreshTokenTtlSeconds: 2_592_000,
  sessionMaxLifetimeSeconds: 7_776_000,
  refreshGraceSeconds: 10,
  maxSessionsPerUser: 100,
  rateLimitPerSecond: 0,
  apiKeyRateLimitPerSecond: 0,
  rateLimitBurstSeconds: 2,
};
const ACME: Tenant = {
  tenantId: 'acme',
  name: 'Acme',
  status: 'active',
  overrides: { refreshGraceSeconds: 5, audience: 'api' },
  createdAtMs: T0,
  updatedAtMs: T0,
  version: 3,
};

describe("a tenant's settings", () => {
  test("are the service's defaults, the tenant id as the audience, and serving through outages", () => {
    expect(settingsOf({ tenantId: 'acme', overrides: {} }, DEFAULTS)).toEqual({
      ...DEFAULTS,
      audience: 'acme',
      onStoreOutage: 'serve',
      rsaModulusBits: 2048,
    });
  });

  test('are what the tenant chose for itself, even when that is nothing', () => {
    const overrides = {
      refreshGraceSeconds: 0,
      audience: 'api',
      onStoreOutage: 'refuse',
      rsaModulusBits: 4096,
    } as const;
    expect(settingsOf({ tenantId: 'acme', overrides }, DEFAULTS)).toEqual({ ...DEFAULTS, ...overrides });
  });
});

describe('a change to a tenant', () => {
  test('touches what it names, and is one version later', () => {
    const change = { settings: { maxSessionsPerUser: 2, refreshGraceSeconds: 0 } };
    expect(changeTenant(ACME, change, T0 + 1)).toEqual({
      ...ACME,
      overrides: { refreshGraceSeconds: 0, audience: 'api', maxSessionsPerUser: 2 },
      updatedAtMs: T0 + 1,
      version: 4,
    });
  });

  test('puts a setting back to the default by null, and lets it be when it is not given', () => {
    const settings = { audience: null, refreshGraceSeconds: undefined, maxSessionsPerUser: null };
    expect(changeTenant(ACME, { settings: { ...settings } }, T0).overrides).toEqual({
      refreshGraceSeconds: 5,
    });
  });

  test('renames and suspends', () => {
    const changed = changeTenant(ACME, { name: 'Acme 2', status: 'suspended', settings: {} }, T0);
    expect(changed).toEqual({ ...ACME, name: 'Acme 2', status: 'suspended', version: 4 });
  });

  test('leaves the tenant that was handed in as it was', () => {
    const before = structuredClone(ACME);
    changeTenant(ACME, { settings: { audience: null } }, T0 + 1);
    expect(ACME).toEqual(before);
  });
});

describe('a tenant id', () => {
  test.each(['a', '0', 'acme', 'acme-2', 'a-', 'x'.repeat(63)])('may be %s', (id) => {
    expect(TENANT_ID.test(id)).toBe(true);
  });

  test.each(['', '-a', 'Acme', 'a_b', 'a.b', 'a:b', '{a}', 'a b', 'a\n', 'é', '*', '..', 'x'.repeat(64)])(
    'may not be %j',
    (id) => {
      expect(TENANT_ID.test(id)).toBe(false);
    },
  );
});
