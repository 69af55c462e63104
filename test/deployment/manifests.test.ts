/** What a platform engineer looks for in the manifests before letting them in. */
import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { routesOf } from '../e2e/routes.js';
import { TestService } from '../support/test-service.js';
import {
  at,
  CHART,
  environmentOf,
  example,
  LEAST,
  merged,
  NAME,
  one,
  render,
  type Manifest,
  type Tree,
} from './rendered.js';

const PRODUCTION = render(example('production'));
const DEVELOPMENT = render(example('development'));
const SQLITE = render(merged(LEAST, { store: { kind: 'sqlite', url: '' }, replicas: 1 }));

/** Of workloads and bare Pods. */
function podsOf(manifests: readonly Manifest[]): { name: string; spec: Tree }[] {
  return manifests.flatMap((manifest) => {
    const spec = manifest.kind === 'Pod' ? at(manifest, 'spec') : at(manifest, 'spec.template.spec');
    return spec ? [{ name: `${manifest.kind} ${manifest.metadata.name}`, spec: spec as Tree }] : [];
  });
}

const PODS = [...podsOf(PRODUCTION), ...podsOf(DEVELOPMENT), ...podsOf(SQLITE)];

describe('every Pod', () => {
  test.each(PODS)('$name is hardened', ({ spec }) => {
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    expect(spec).not.toHaveProperty('hostNetwork');
    for (const container of spec['containers'] as Tree[]) {
      expect(container['securityContext']).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(container).toMatchObject({
        resources: { requests: { cpu: expect.anything(), memory: expect.anything() } },
      });
      expect(at(container, 'resources.limits.memory')).toBeTruthy();
      expect(JSON.stringify(container)).not.toMatch(/"(sh|bash|-c)"/);
    }
  });
});

test('Pods run as the image’s user, and its entry point is what the test of helm relies on', () => {
  const dockerfile = readFileSync('Dockerfile', 'utf8');
  const user = at(one(PRODUCTION, 'Deployment'), 'spec.template.spec.securityContext.runAsUser') as number;
  expect(dockerfile).toContain(`USER ${user}:${user}\n`);
  expect(dockerfile).toMatch(/^ENTRYPOINT \[".*\/node"\]$/m);
});

describe('secrets', () => {
  test('are in no manifest: variables that carry them come from the Secret', () => {
    const all = [...PRODUCTION, ...DEVELOPMENT, ...SQLITE];
    expect(all.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    const secret = /KEY$|KEYS$|TOKEN$|HEADERS$/;
    for (const manifests of [PRODUCTION, DEVELOPMENT, SQLITE]) {
      const carriers = environmentOf(manifests).filter(({ name }) => secret.test(name));
      expect(carriers.length).toBeGreaterThan(1);
      for (const { name, value, valueFrom } of carriers) {
        expect({ value, key: valueFrom?.secretKeyRef.key }).toEqual({ value: undefined, key: name });
      }
    }
  });

  test('that the Pods need are those that External Secrets fetch, into the Secret that the Pods name', () => {
    const external = one(PRODUCTION, 'ExternalSecret');
    const fetched = (at(external, 'spec.data') as { secretKey: string }[]).map(({ secretKey }) => secretKey);
    const refs = environmentOf(PRODUCTION).flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []);
    expect(refs.map(({ key }) => key).toSorted()).toEqual(fetched.toSorted());
    expect(new Set(refs.map(({ name }) => name))).toEqual(new Set([at(external, 'spec.target.name')]));
  });
});

test('probes ask routes that exist and are public, and the public paths are prefixes of routes', async () => {
  const service = await TestService.start();
  const routes = routesOf(service.app);
  await service.stop();
  const container = at(one(PRODUCTION, 'Deployment'), 'spec.template.spec.containers.0') as Tree;
  const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'].map(
    (probe) => at(container, `${probe}.httpGet.path`) as string,
  );
  expect(new Set(probes).size).toBe(3);
  const scraped = at(one(PRODUCTION, 'ServiceMonitor'), 'spec.endpoints.0.path') as string;
  for (const path of [...probes, scraped]) {
    expect(routes.find(({ name }) => name === `GET ${path}`)?.policy).toEqual({ who: 'anyone' });
  }
  const paths = at(one(PRODUCTION, 'Ingress'), 'spec.rules.0.http.paths') as { path: string }[];
  for (const { path } of paths) {
    expect(routes.some(({ name }) => name.includes(` ${path}`))).toBe(true);
  }
});

describe('leaving', () => {
  test.each([
    [0, 1, 11],
    [15, 15, 40],
    [600, 600, 1210],
  ])('with %i s of drain and %i s of time, Kubernetes waits %i s', (drainSeconds, timeoutSeconds, grace) => {
    const manifests = render(merged(LEAST, { shutdown: { drainSeconds, timeoutSeconds } }));
    expect(at(one(manifests, 'Deployment'), 'spec.template.spec.terminationGracePeriodSeconds')).toBe(grace);
    expect(environmentOf(manifests)).toEqual(
      expect.arrayContaining([
        { name: 'SHUTDOWN_DRAIN_SECONDS', value: String(drainSeconds) },
        { name: 'SHUTDOWN_TIMEOUT_SECONDS', value: String(timeoutSeconds) },
      ]),
    );
  });

  test('a new Pod is ready before an old one leaves, except on a file, where the old one must have left', () => {
    expect(at(one(PRODUCTION, 'Deployment'), 'spec.strategy.rollingUpdate.maxUnavailable')).toBe(0);
    expect(at(one(SQLITE, 'Deployment'), 'spec.strategy')).toEqual({ type: 'Recreate' });
  });
});

describe('selectors', () => {
  test('of Service, budget, policy and monitor choose the Deployment’s Pods, and not those of Redis', () => {
    const [service, redis] = ['Deployment', 'StatefulSet'].map(
      (kind) =>
        at(
          one(DEVELOPMENT, kind, kind === 'Deployment' ? NAME : `${NAME}-redis`),
          'spec.template.metadata.labels',
        ) as Record<string, string>,
    );
    const matches = (labels: Tree | undefined, selector: Tree) =>
      Object.entries(selector).every(([name, value]) => labels?.[name] === value);
    for (const [kind, path] of [
      ['Service', 'spec.selector'],
      ['PodDisruptionBudget', 'spec.selector.matchLabels'],
      ['NetworkPolicy', 'spec.podSelector.matchLabels'],
    ] as const) {
      const selector = at(one(DEVELOPMENT, kind), path) as Tree;
      expect([matches(service, selector), matches(redis, selector)]).toEqual([true, false]);
    }
    const monitor = at(one(PRODUCTION, 'ServiceMonitor'), 'spec.selector.matchLabels') as Tree;
    expect(matches(at(one(PRODUCTION, 'Service'), 'metadata.labels') as Tree, monitor)).toBe(true);
  });

  test('of the autoscaler is the Deployment, which then names no number of its own', () => {
    expect(at(one(PRODUCTION, 'HorizontalPodAutoscaler'), 'spec.scaleTargetRef.name')).toBe(NAME);
    expect(at(one(PRODUCTION, 'Deployment'), 'spec.replicas')).toBeUndefined();
    expect(at(one(DEVELOPMENT, 'Deployment'), 'spec.replicas')).toBe(1);
  });
});

describe('seeing it', () => {
  const names = (folder: string) => readdirSync(join(CHART, folder)).toSorted();

  test('every dashboard of the folder is a ConfigMap that holds it to the byte', () => {
    const found = PRODUCTION.filter((manifest) => at(manifest, 'metadata.labels.grafana_dashboard') === '1');
    const data = Object.assign({}, ...found.map((manifest) => at(manifest, 'data') as Tree)) as Tree;
    const files = names('dashboards').filter((name) => name.endsWith('.json'));
    expect(files.length).toBeGreaterThan(2);
    expect(data).toEqual(
      Object.fromEntries(
        files.map((name) => [
          `session-service-${name}`,
          readFileSync(join(CHART, 'dashboards', name), 'utf8'),
        ]),
      ),
    );
  });

  test('every file of rules is a PrometheusRule with the same groups', () => {
    const rules = PRODUCTION.filter(({ kind }) => kind === 'PrometheusRule').map((rule) => at(rule, 'spec'));
    const files = names('rules').filter((name) => name.endsWith('.yaml'));
    expect(rules).toEqual(files.map((name) => load(readFileSync(join(CHART, 'rules', name), 'utf8'))));
    expect(rules).not.toEqual([]);
  });

  test('the monitor names the job that the rules ask for', () => {
    const job = at(one(PRODUCTION, 'ServiceMonitor'), 'spec.endpoints.0.relabelings.0.replacement') as string;
    for (const name of names('rules')) {
      const text = readFileSync(join(CHART, 'rules', name), 'utf8');
      expect(new Set(text.match(/job="[^"]*"/g))).toEqual(new Set([`job="${job}"`]));
    }
  });
});

test('nothing is open: who may come in and where the Pods may go is listed', () => {
  const policy = one(PRODUCTION, 'NetworkPolicy');
  expect(at(policy, 'spec.policyTypes')).toEqual(['Ingress', 'Egress']);
  expect(
    (at(policy, 'spec.ingress') as Tree[]).every((rule) => (at(rule, 'from') as Tree[]).length > 0),
  ).toBe(true);
  const egress = at(policy, 'spec.egress') as Tree[];
  expect(egress.every((rule) => (at(rule, 'ports') as Tree[]).length > 0)).toBe(true);
});

test('only the chosen paths are public, at the host of publicUrl', () => {
  const { host, http } = at(one(PRODUCTION, 'Ingress'), 'spec.rules.0') as {
    host: string;
    http: { paths: { path: string }[] };
  };
  expect(host).toBe('sessions.example.com');
  expect(http.paths.map(({ path }) => path)).toEqual([
    '/sessions',
    '/tenants',
    '/.well-known/oauth-authorization-server',
  ]);
});
