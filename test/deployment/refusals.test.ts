/** Values that are wrong, hostile or contradict each other are refused, in words that name them. */
import { describe, expect, test } from '@jest/globals';
import { LEAST, merged, refusal, type Values } from './rendered.js';

const HOSTILE: [string, Values, RegExp][] = [
  ['a secret as a setting', { settings: { ADMIN_API_KEY: 'x'.repeat(32) } }, /settings.*ADMIN_API_KEY/],
  ['master keys as a setting', { settings: { MASTER_KEYS: 'm1:x' } }, /settings.*MASTER_KEYS/],
  ['a secret as a value', { secrets: { adminApiKey: 'x' } }, /secrets.*adminApiKey/],
  ['a password in the store', { store: { url: 'redis://user:word@redis:6379' } }, /store\/url/],
  ['a setting that another value decides', { settings: { SHUTDOWN_DRAIN_SECONDS: 1 } }, /SHUTDOWN_DRAIN/],
  ['a setting that does not exist', { settings: { ACCES_TOKEN_TTL_SECONDS: 1 } }, /ACCES_TOKEN/],
  ['a setting out of its range', { settings: { REFRESH_GRACE_SECONDS: 61 } }, /REFRESH_GRACE_SECONDS/],
  ['a setting of another type', { settings: { LOG_LEVEL: 'loud' } }, /LOG_LEVEL/],
  ['a value that does not exist', { replicaCount: 3 }, /replicaCount/],
  ['no replica', { replicas: 0 }, /replicas/],
  ['a replica in text', { replicas: '3' }, /replicas/],
  ['a store that does not exist', { store: { kind: 'postgres' } }, /store\/kind/],
  ['a file by URL', { store: { url: 'sqlite:/data/x.db' } }, /store\/url/],
  ['a public path beyond the public ones', { publicPaths: ['/metrics'] }, /publicPaths/],
  ['every path made public', { publicPaths: ['/'] }, /publicPaths/],
  ['no public path', { publicPaths: [] }, /publicPaths/],
  ['an image that moves', { image: { tag: 'latest' } }, /image\/tag/],
  ['a line break in a URL', { publicUrl: 'https://a\nnodeName: b' }, /publicUrl/],
  ['a template as a name', { fullnameOverride: '{{ .Release }}' }, /fullnameOverride/],
  ['YAML as a name', { secrets: { existingSecret: 'a}\n- name: x' } }, /existingSecret/],
  ['a budget that blocks maintenance', { disruptionBudget: { maxUnavailable: 0 } }, /maxUnavailable/],
  ['a share of nothing', { disruptionBudget: { maxUnavailable: '0%' } }, /maxUnavailable/],
  ['labels of the chart', { podLabels: { 'app.kubernetes.io/name': 'x' } }, /podLabels/],
  ['an empty peer, which is everybody', { networkPolicy: { callers: [{}] } }, /callers/],
  ['a privileged container', { securityContext: { privileged: true } }, /securityContext/],
  ['a shell in the image', { command: ['sh'] }, /command/],
  ['a negative drain', { shutdown: { drainSeconds: -1 } }, /drainSeconds/],
];

const SQLITE: Values = { store: { kind: 'sqlite', url: '' } };
const INGRESS: Values = { ingress: { enabled: true } };
const PEERS = [{ podSelector: {} }];

const CONTRADICTIONS: [string, Values, string][] = [
  ['no public URL', { publicUrl: '' }, 'publicUrl is required'],
  ['no Secret', { secrets: { existingSecret: '' } }, 'secrets.existingSecret is required'],
  ['two Secrets', { secrets: { externalSecret: { enabled: true } } }, 'exclude each other'],
  ['no store', { store: { url: '' } }, 'store.url is required'],
  ['two stores', { store: { urlFromSecret: true } }, 'store.url and store.urlFromSecret exclude'],
  ['a URL for the chart’s own Redis', { store: { kind: 'trial-redis' } }, 'belong to store.kind redis'],
  [
    'waiting for replicas that cannot be',
    { store: { kind: 'trial-redis', url: '', waitReplicas: 1 } },
    'store.waitReplicas must be 0',
  ],
  ['a file for three replicas', SQLITE, 'store.kind sqlite needs replicas: 1'],
  [
    'a file that scales',
    { ...SQLITE, replicas: 1, autoscaling: { enabled: true } },
    'store.kind sqlite needs replicas: 1 and no autoscaling',
  ],
  ['a file for two workers', { ...SQLITE, replicas: 1, workers: 2 }, 'store.kind sqlite needs workers: 1'],
  [
    'more at least than at most',
    { autoscaling: { enabled: true, minReplicas: 5, maxReplicas: 4 } },
    'autoscaling.minReplicas must not be more',
  ],
  [
    'a share of no request',
    { autoscaling: { enabled: true }, resources: { requests: { cpu: null } } },
    'autoscaling needs resources.requests.cpu',
  ],
  ['Vault without a key', { vault: { enabled: true } }, 'vault.enabled needs'],
  ['a policy that keeps the edge out', INGRESS, 'networkPolicy.callers must name'],
  [
    'a policy that keeps Prometheus out',
    { metrics: { serviceMonitor: { enabled: true } } },
    'networkPolicy.monitoring must name',
  ],
  [
    'a policy that keeps traces in',
    { tracing: { endpoint: 'http://otel:4318' } },
    'networkPolicy.extraEgress must let',
  ],
  [
    'an Ingress for half a path',
    { ...INGRESS, networkPolicy: { callers: PEERS }, publicUrl: 'https://example.com/auth' },
    'publicUrl must have no path',
  ],
  [
    'a route without a Gateway',
    { gateway: { enabled: true }, networkPolicy: { callers: PEERS } },
    'gateway.parentRefs must name',
  ],
  ['an account without a name', { serviceAccount: { create: false } }, 'serviceAccount.name is required'],
];

describe('the schema', () => {
  test.each(HOSTILE)('refuses %s', (_, values, words) => {
    expect(refusal(merged(LEAST, values))).toMatch(words);
  });
});

describe('the chart', () => {
  test.each(CONTRADICTIONS)('refuses %s', (_, values, sentence) => {
    expect(refusal(merged(LEAST, values))).toContain(sentence);
  });

  test('says everything that is missing at once', () => {
    const said = refusal({});
    for (const name of ['publicUrl', 'secrets.existingSecret', 'store.url']) {
      expect(said).toContain(`- ${name} is required`);
    }
  });
});
