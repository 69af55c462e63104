// How a peer tells the benchmark where it listens: one line of JSON on its standard output.

export function announce(port, more = {}) {
  process.stdout.write(`${JSON.stringify({ port, ...more })}\n`);
}
