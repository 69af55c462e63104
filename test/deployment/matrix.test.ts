/** Every combination of what the chart can do renders, and Kubernetes' own schemas accept it, old and new. */
import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import {
  CUSTOM_SCHEMAS,
  HELM,
  KUBECONFORM,
  KUBERNETES_SCHEMAS,
  KUBERNETES_VERSIONS,
} from '../../deploy/tools/tools.mjs';
import { CHART, example, LEAST, merged, template, type Values } from './rendered.js';

const PEERS = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'edge' } } }];

const STORES: Record<string, Values> = {
  redis: {},
  sentinel: { store: { url: 'redis+sentinel://s1:26379,s2:26379/mymaster', waitReplicas: 1 } },
  'cluster with TLS': {
    store: { url: '', urlFromSecret: true, waitReplicas: 2, caConfigMap: 'redis-ca' },
    networkPolicy: { storePeers: [{ ipBlock: { cidr: '10.1.0.0/16' } }] },
  },
  'trial Redis': { store: { kind: 'trial-redis', url: '' } },
  'trial Redis without a disk': {
    store: { kind: 'trial-redis', url: '', persistence: { enabled: false } },
  },
  SQLite: { store: { kind: 'sqlite', url: '', persistence: { storageClass: 'fast' } }, replicas: 1 },
  'SQLite without a disk': {
    store: { kind: 'sqlite', url: '', persistence: { enabled: false } },
    replicas: 1,
  },
};

const EXPOSURES: Record<string, Values> = {
  'inside only': {},
  Ingress: {
    ingress: { enabled: true, className: 'nginx', tlsSecret: 'tls', annotations: { a: 'b' } },
    networkPolicy: { callers: PEERS },
  },
  'Gateway API': {
    gateway: { enabled: true, parentRefs: [{ name: 'public', namespace: 'edge', sectionName: 'https' }] },
    publicPaths: ['/sessions'],
    networkPolicy: { enabled: false },
  },
};

const OPERATIONS: Record<string, Values> = {
  plain: {},
  everything: {
    image: { digest: `sha256:${'a'.repeat(64)}` },
    imagePullSecrets: [{ name: 'registry' }],
    secrets: {
      existingSecret: '',
      externalSecret: { enabled: true, storeName: 'platform', remoteKey: 'sessions/production' },
    },
    vault: { enabled: true, address: 'https://vault:8200', key: 'sessions' },
    tracing: { endpoint: 'http://otel:4318', headersFromSecret: true },
    metrics: {
      requireToken: true,
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
      prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
      dashboards: { enabled: true, annotations: { folder: 'Sessions' } },
    },
    networkPolicy: {
      monitoring: PEERS,
      extraEgress: [{ ports: [{ port: 8200, protocol: 'TCP' }], to: PEERS }, { ports: [{ port: 4318 }] }],
    },
    settings: { REVOCATION_REPLICA_MAX_ENTRIES: 50_000_000, READY_WITHOUT_STORE: false, LOG_LEVEL: 'warn' },
    disruptionBudget: { maxUnavailable: '25%' },
    topologySpread: { zone: 'DoNotSchedule' },
    podAnnotations: { a: 'b' },
    podLabels: { team: 'identity' },
    nodeSelector: { 'kubernetes.io/arch': 'amd64' },
    tolerations: [{ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }],
    affinity: { nodeAffinity: {} },
    priorityClassName: 'critical',
    serviceAccount: { annotations: { role: 'sessions' } },
    service: { type: 'LoadBalancer', port: 443, annotations: { a: 'b' } },
  },
};

const SCALING: Values = {
  autoscaling: { enabled: true, requestsPerSecond: { enabled: true } },
  workers: 2,
};

function combinations(): Map<string, Values> {
  const found = new Map<string, Values>();
  for (const [store, ofStore] of Object.entries(STORES)) {
    for (const [exposure, ofExposure] of Object.entries(EXPOSURES)) {
      for (const [operation, ofOperation] of Object.entries(OPERATIONS)) {
        const values = [ofStore, ofOperation, ofExposure].reduce(merged, LEAST);
        found.set(`${store}, ${exposure}, ${operation}`, values);
      }
    }
    if (!store.startsWith('SQLite')) found.set(`${store}, scaled`, merged(merged(LEAST, ofStore), SCALING));
  }
  for (const name of ['development', 'production']) found.set(`example ${name}`, example(name));
  return found;
}

const MATRIX = combinations();
const RENDERED = new Map([...MATRIX].map(([name, values]) => [name, template(values)]));

function conform(version: string, manifests: string): { ok: boolean; report: string } {
  const locations = [`${KUBERNETES_SCHEMAS}/${version}`, CUSTOM_SCHEMAS].flatMap((folder) => [
    '-schema-location',
    `${folder}/{{ .ResourceKind }}{{ .KindSuffix }}.json`,
  ]);
  const { status, stdout, stderr } = spawnSync(KUBECONFORM, ['-strict', '-summary', ...locations, '-'], {
    input: manifests,
    encoding: 'utf8',
  });
  return { ok: status === 0, report: stdout + stderr };
}

describe.each(KUBERNETES_VERSIONS)('the schemas of Kubernetes %s', (version) => {
  test('accept every manifest of every combination', () => {
    expect(MATRIX.size).toBeGreaterThan(45);
    const { ok, report } = conform(version, [...RENDERED.values()].join('\n---\n'));
    expect(report).toMatch(/Invalid: 0, Errors: 0, Skipped: 0/);
    expect(ok).toBe(true);
  });

  test('would not accept a misspelt member, in Kubernetes or in a custom resource', () => {
    const all = RENDERED.get('cluster with TLS, Ingress, everything') ?? '';
    for (const [right, wrong] of [
      ['minReadySeconds', 'minReadySecond'],
      ['targetLabel', 'targetLabels'],
      ['remoteRef', 'remoteReference'],
    ] as const) {
      expect(all).toContain(right);
      expect(conform(version, all.replaceAll(`${right}:`, `${wrong}:`)).report).toContain(wrong);
    }
  });
});

test('renders no member twice and nothing empty', () => {
  const nulls = [...RENDERED].filter(([, text]) => /: (null|~)$|^\s*- null$/m.test(text));
  expect(nulls.map(([name]) => name)).toEqual([]);
});

test.each(['the defaults', 'development', 'production'])('helm lint finds nothing in %s', (name) => {
  const values = name === 'the defaults' ? {} : example(name);
  const { status, stdout, stderr } = spawnSync(HELM, ['lint', '--strict', CHART, '--values', '-'], {
    input: JSON.stringify(values),
    encoding: 'utf8',
  });
  expect(stdout + stderr).not.toMatch(/\[(WARNING|ERROR)\]/);
  expect(status).toBe(0);
});
