// Latencies of one run, in milliseconds, and what is said of them.

export class Latencies {
  #values = new Float64Array(4096);
  #count = 0;

  add(ms) {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(this.#count * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = ms;
  }

  get count() {
    return this.#count;
  }

  summary() {
    const sorted = this.#values.subarray(0, this.#count).toSorted();
    const at = (share) =>
      sorted.length === 0 ? null : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
  }
}

export function median(values) {
  const sorted = values.filter((value) => value !== null && Number.isFinite(value)).toSorted((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
