/** Types of tools.mjs, for the tests. */
export const HELM: string;
export const KUBECONFORM: string;
export const COMPOSE: string;
export const KUBERNETES_SCHEMAS: string;
export const CUSTOM_SCHEMAS: string;
export const KUBERNETES_VERSIONS: readonly string[];
