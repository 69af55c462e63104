// A CPU profile's self times, summed by layer. A frame without a file (a built-in, native code called from a script)
// counts for whoever called it.

const LAYERS = [
  ['guard, rate limits, tenants (`tenants/`)', /\/dist\/tenants\//],
  ['keys in memory (`keys/`)', /\/dist\/keys\//],
  ['strict parser, verification (`tokens/`)', /\/dist\/tokens\//],
  ['jsonwebtoken', /\/node_modules\/(jsonwebtoken|jws|jwa|ecdsa-sig-formatter|buffer-equal-constant-time)\//],
  ['replica (`revocations/`)', /\/dist\/revocations\//],
  ['service and controller (`sessions/`)', /\/dist\/sessions\//],
  ['metrics (`http/metrics/`, prom-client)', /\/dist\/http\/metrics\/|\/node_modules\/prom-client\//],
  ['strict JSON (`http/strict-json`)', /\/dist\/http\/strict-json/],
  [
    'validation of the body (`http/`, compiled DTO)',
    /\/dist\/http\/(compiled-dto|validation)|\/node_modules\/ajv/,
  ],
  ['hooks, headers, end of request (rest of `http/`)', /\/dist\/http\//],
  ['log (pino)', /\/dist\/logging\/|\/node_modules\/(pino|nestjs-pino|sonic-boom|thread-stream|pino-http)\//],
  ['caches (lru-cache, `read-cache`)', /\/node_modules\/lru-cache\/|\/dist\/read-cache/],
  ['rest of this service', /\/dist\//],
  ['Nest', /\/node_modules\/(@nestjs|rxjs|reflect-metadata)\//],
  [
    'Fastify',
    /\/node_modules\/(@fastify|fastify|find-my-way|light-my-request|avvio|fast-|secure-json|toad-cache|@pinojs)/,
  ],
  ['ioredis', /\/node_modules\/(ioredis|@ioredis|cockatiel)\//],
  ['Node: crypto', /^node:(internal\/)?crypto/],
  ['Node: HTTP', /^node:(_http|internal\/(http|url))/],
  ['Node: sockets, streams, timers, promises', /^node:/],
];

const OUTSIDE = {
  '(garbage collector)': 'garbage collection',
  '(program)': 'native code: sockets, event loop',
};

/** @returns [{ layer, share }], the largest first; the shares of the busy time add up to 1 */
export function sharesOf({ nodes, samples, timeDeltas }) {
  const parents = new Map();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node.id);
  const layerOf = (id) => {
    for (let at = id; at !== undefined; at = parents.get(at)) {
      const { functionName, url } = byId.get(at).callFrame;
      if (Object.hasOwn(OUTSIDE, functionName)) return OUTSIDE[functionName];
      if (functionName === '(idle)') return null;
      const found = url && LAYERS.find(([, pattern]) => pattern.test(url));
      if (found) return found[0];
    }
    return 'not known';
  };
  const micros = new Map();
  samples.forEach((id, at) => {
    const layer = layerOf(id);
    if (layer) micros.set(layer, (micros.get(layer) ?? 0) + timeDeltas[at]);
  });
  const total = [...micros.values()].reduce((sum, value) => sum + value, 0);
  return [...micros]
    .map(([layer, value]) => ({ layer, share: value / total }))
    .toSorted((one, other) => other.share - one.share);
}
