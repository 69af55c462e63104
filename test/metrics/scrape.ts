/** What a scrape says, line by line. */
import type { TestService } from '../support/test-service.js';

export class Scrape {
  private constructor(
    readonly text: string,
    private readonly samples: ReadonlyMap<string, number>,
  ) {}

  static async of(service: TestService): Promise<Scrape> {
    const { status, body } = await service.call<string>('GET', '/metrics');
    if (status !== 200) throw new Error(`/metrics answered ${status}`);
    const samples = new Map<string, number>();
    for (const line of body.split('\n')) {
      const at = line.lastIndexOf(' ');
      if (line !== '' && !line.startsWith('#')) samples.set(line.slice(0, at), Number(line.slice(at + 1)));
    }
    return new Scrape(body, samples);
  }

  /** @returns undefined where there is no such series */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const inside = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return this.samples.get(inside.length > 0 ? `${name}{${inside.join(',')}}` : name);
  }

  /** The series whose name begins so and that have all of these labels. */
  series(name: string, labels: Readonly<Record<string, string>> = {}): [string, number][] {
    const inside = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return [...this.samples].filter(
      ([series]) =>
        (name === '' || series === name || series.startsWith(`${name}{`)) &&
        inside.every((label) => series.includes(label)),
    );
  }

  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.series(name, labels).reduce((sum, [, value]) => sum + value, 0);
  }

  get names(): Set<string> {
    return new Set([...this.text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name));
  }

  get size(): number {
    return this.samples.size;
  }
}
