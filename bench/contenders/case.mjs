// One thing that is measured: a contender, an operation, a variant, and the traffic that does it.

/** What each operation is called in a table. */
export const OPERATIONS = ['validate', 'create', 'refresh'];

/**
 * @param kind `ceiling`, `service` or `peer`
 * @param values.traffic what is sent; values.warmUp other traffic to warm up with
 * @param values.inLatency whether its latency is measured at fixed rates too
 */
export function makeCase(server, { contender, kind, operation, variant, title, ...values }) {
  const id = [contender, operation, variant].filter(Boolean).join('/');
  return { id, contender, kind, operation, variant, title, port: server.port, pid: server.pid, ...values };
}
