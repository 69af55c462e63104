/** Reads variables one by one, each with its rule, and collects what is wrong. Knows no variable's meaning. */

export type Environment = Readonly<Record<string, string | undefined>>;

/** How to make what has no default. */
export const RECIPES: Record<string, string> = {
  ADMIN_API_KEY: 'openssl rand -hex 32',
  MASTER_KEYS: 'echo "m1:$(openssl rand -base64 32)"',
};

/** What breaks its rule is told to `problems`, naming the variable and the rule, never the value. */
export class Reader {
  constructor(
    private readonly env: Environment,
    private readonly problems: string[],
  ) {}

  /** An empty variable counts as absent: that is how compose files and charts leave one out. */
  private raw(name: string): string | undefined {
    const value = this.env[name]?.trim();
    return value === '' ? undefined : value;
  }

  text(name: string, fallback: string): string {
    return this.raw(name) ?? fallback;
  }

  required(name: string, when: string): string {
    const text = this.raw(name);
    if (text === undefined) this.problems.push(`${name} is required ${when}.`);
    return text ?? '';
  }

  /** What goes into a header: anything else would be refused there, in a message that quotes it. */
  headerText(name: string, when: string): string {
    const text = this.required(name, when);
    if (/^[\x21-\x7e]*$/.test(text)) return text;
    this.problems.push(`${name} must be printable ASCII characters without spaces.`);
    return '';
  }

  integer(name: string, fallback: number, [minimum, maximum]: readonly [number, number]): number {
    const text = this.raw(name);
    if (text === undefined) return fallback;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= minimum && value <= maximum) return value;
    this.problems.push(`${name} must be a whole number from ${minimum} to ${maximum}.`);
    return fallback;
  }

  choice<T extends string>(name: string, fallback: T, allowed: readonly T[]): T {
    const text = this.raw(name);
    if (text === undefined) return fallback;
    const found = allowed.find((candidate) => candidate === text);
    if (!found) this.problems.push(`${name} must be one of ${allowed.join(', ')}.`);
    return found ?? fallback;
  }

  optional<T>(name: string, parse: (text: string) => T): T | null {
    return this.raw(name) === undefined ? null : this.parsed(name, undefined, parse);
  }

  /** `parse` throws an Error whose message is the rule; without a fallback the variable is required. */
  parsed<T>(name: string, fallback: string | undefined, parse: (text: string) => T): T {
    try {
      const text = this.raw(name) ?? fallback;
      if (text === undefined) throw new Error(`is required (make one with: ${RECIPES[name] ?? ''})`);
      return parse(text);
    } catch (error) {
      this.problems.push(`${name} ${(error as Error).message}.`);
      return undefined as T; // parseConfig throws before anybody sees it
    }
  }
}
