// Where the tools are that check deployment and load, and which versions: kept between runs, apart from the repository.
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Go's checksum database and pip's hash hold the downloads to what they were. */
export const VERSIONS = {
  helm: 'v4.3.1',
  kubeconform: 'v0.7.0',
  compose: 'v2.16.2',
  k6: 'v1.8.1',
  kubernetesValidate: '1.37.0',
};

/** The wheel that carries the JSON schemas of Kubernetes. */
export const SCHEMAS_SHA256 = '85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9';

/** Custom resources, from the modules of those who define them. */
export const CUSTOM_RESOURCES = [
  {
    module: 'sigs.k8s.io/gateway-api@v1.4.1',
    files: ['config/crd/standard/gateway.networking.k8s.io_httproutes.yaml'],
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    files: [
      'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml',
      'example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml',
    ],
  },
  {
    module: 'github.com/external-secrets/external-secrets@v1.3.2',
    files: ['config/crds/bases/external-secrets.io_externalsecrets.yaml'],
  },
];

/** The oldest that the chart allows, and the newest there is. */
export const KUBERNETES_VERSIONS = ['1.30.0', '1.37.0'];

export const CACHE = join(
  process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
  'multi-tenant-session-service',
);
export const HELM = join(CACHE, `helm-${VERSIONS.helm}`, 'helm');
export const KUBECONFORM = join(CACHE, `kubeconform-${VERSIONS.kubeconform}`, 'kubeconform');
/** The parser that `docker compose` itself is built on. */
export const COMPOSE = join(CACHE, `compose-${VERSIONS.compose}`, 'cmd');
export const K6 = join(CACHE, `k6-${VERSIONS.k6}`, 'k6');
export const KUBERNETES_SCHEMAS = join(CACHE, `kubernetes-${VERSIONS.kubernetesValidate}`);
export const CUSTOM_SCHEMAS = join(CACHE, 'custom-resources');
