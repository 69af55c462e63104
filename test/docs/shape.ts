/** Compares what a document shows with what was answered: all but what is different at every run. */

/** Ids, tokens, keys, times and ports: each looks alike afterwards. */
export function withoutChance(text: string): string {
  return text
    .replaceAll(/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<token>')
    .replaceAll(/\bsk_([a-z0-9-]+)_[0-9a-f]+_\w+/g, '<key of $1>')
    .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<uuid>')
    .replaceAll(/(?<![\w-])[\w-]{26}(?![\w-])/g, '<id>')
    .replaceAll(/\b[0-9a-f]{16}\b/g, '<key id>')
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)?/g, '<time>')
    .replaceAll(/\blocalhost:\d+/g, 'localhost:<port>');
}

const EARLIEST_TIME = 1_000_000_000;
const isElision = (value: unknown): boolean => value === '...' || value === '…';

/**
 * `"...": "..."` among the members, or `"..."` among the entries, stands for those that are not shown; a text that
 * ends in … goes on.
 * @returns where the two differ, in words
 */
export function differences(shown: unknown, answered: unknown, path = ''): string[] {
  const found = [
    `${path || 'the answer'}: shown ${JSON.stringify(shown)}, answered ${JSON.stringify(answered)}`,
  ];
  if (typeof shown === 'string' && typeof answered === 'string') {
    const [, beginning] = /^(.*)(?:…|\.\.\.)$/s.exec(shown) ?? [];
    if (beginning !== undefined) return answered.startsWith(beginning) ? [] : found;
    return withoutChance(shown) === withoutChance(answered) ? [] : found;
  }
  if (typeof shown === 'number' && typeof answered === 'number') {
    const areTimes = shown > EARLIEST_TIME && answered > EARLIEST_TIME;
    const areMeasured = /_ms$|uptime_seconds$/.test(path);
    return shown === answered || areTimes || areMeasured ? [] : found;
  }
  if (Array.isArray(shown) && Array.isArray(answered)) {
    const entries = shown.filter((entry) => !isElision(entry));
    if (entries.length === shown.length && shown.length !== answered.length) return found;
    return entries.flatMap((entry, at) => differences(entry, answered[at], `${path}[${at}]`));
  }
  if (isObject(shown) && isObject(answered)) {
    const names = Object.keys(shown).filter((name) => !isElision(name));
    const isWhole = names.length === Object.keys(shown).length;
    const surplus = isWhole ? Object.keys(answered).filter((name) => !names.includes(name)) : [];
    return [
      ...surplus.map((name) => `${path}.${name}: answered, and not shown`),
      ...names.flatMap((name) => differences(shown[name], answered[name], `${path}.${name}`)),
    ];
  }
  return Object.is(shown, answered) ? [] : found;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON values of a text: one on many lines, or one on each line; other lines are passed over. */
export function jsonIn(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return text.split('\n').flatMap((line) => {
      if (!/^[[{]/.test(line)) return [];
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
  }
}

/** @returns the first line that is shown and did not come, in its turn; `...` stands for any lines */
export function missingLine(shown: string, printed: string): string | undefined {
  const lines = withoutChance(printed).split('\n');
  let at = 0;
  for (const line of withoutChance(shown).split('\n')) {
    if (line.trim() === '' || isElision(line.trim())) continue;
    const found = lines.indexOf(line, at);
    if (found < 0) return line;
    at = found + 1;
  }
  return undefined;
}
