/** The chart, rendered by the real helm: manifests as objects, and what helm says when it refuses. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { load, loadAll } from 'js-yaml';
import { HELM } from '../../deploy/tools/tools.mjs';

export const CHART = resolve('helm/multi-tenant-session-service');
const RELEASE = 'sessions';
export const NAME = `${RELEASE}-multi-tenant-session-service`;

export type Values = Readonly<Record<string, unknown>>;
export type Tree = Readonly<Record<string, unknown>>;

export interface Manifest extends Tree {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
}

/** What every installation must say; the rest is the chart's defaults. */
export const LEAST: Values = {
  publicUrl: 'https://sessions.example.com',
  secrets: { existingSecret: 'session-service' },
  store: { kind: 'redis', url: 'redis://redis:6379' },
};

/** Members of `more` win; objects are merged, as helm merges files. */
export function merged(base: Values, more: Values): Values {
  const both = Object.entries(more).map(([name, value]) => {
    const before = base[name];
    return [name, isTree(before) && isTree(value) ? merged(before, value) : value];
  });
  return { ...base, ...Object.fromEntries(both) };
}

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function helm(
  verb: readonly string[],
  values: Values,
): { ok: boolean; output: string; errors: string } {
  const { status, stdout, stderr } = spawnSync(HELM, [...verb, '--values', '-'], {
    input: JSON.stringify(values),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return { ok: status === 0, output: stdout, errors: stderr };
}

/** The manifests' text. */
export function template(values: Values): string {
  const { ok, output, errors } = helm(['template', RELEASE, CHART, '--namespace', 'brands'], values);
  if (!ok) throw new Error(errors);
  return output;
}

export function render(values: Values): Manifest[] {
  return (loadAll(template(values)) as (Manifest | null)[]).filter((found) => found !== null);
}

/** What helm says to values that it must refuse. */
export function refusal(values: Values): string {
  const { ok, errors } = helm(['template', RELEASE, CHART], values);
  if (ok) throw new Error('helm accepted these values');
  return errors;
}

export function example(name: string): Values {
  return load(readFileSync(join(CHART, 'examples', `${name}.yaml`), 'utf8')) as Values;
}

/** Follows a path of names and indices: `spec.template.spec.containers.0`. */
export function at(tree: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, step) => (value as Tree | undefined)?.[step], tree);
}

export function one(manifests: readonly Manifest[], kind: string, name = NAME): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} of ${kind} ${name}`);
  return found[0] as Manifest;
}

export interface EnvironmentEntry {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
}

/** Of the service's container. */
export function environmentOf(manifests: readonly Manifest[]): EnvironmentEntry[] {
  return at(one(manifests, 'Deployment'), 'spec.template.spec.containers.0.env') as EnvironmentEntry[];
}
