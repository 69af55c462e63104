// Rows to a table: aligned for a terminal, or as Markdown.

/** @param columns [{ name, of: row -> text, left }] */
export function toText(columns, rows) {
  const cells = [columns.map(({ name }) => name), ...rows.map((row) => columns.map(({ of }) => of(row)))];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => line[at].length)));
  const pad = (text, at) => (columns[at].left ? text.padEnd(widths[at]) : text.padStart(widths[at]));
  return cells.map((line) => `  ${line.map(pad).join('   ').trimEnd()}\n`).join('');
}

/** Prettier aligns it afterwards. */
export function toMarkdown(columns, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |\n`;
  return [
    line(columns.map(({ name }) => name)),
    line(columns.map(({ left }) => (left ? '---' : '--:'))),
    ...rows.map((row) => line(columns.map(({ of }) => of(row).replaceAll('|', '\\|')))),
  ].join('');
}

export const whole = (value) =>
  value === null || value === undefined ? '' : Math.round(value).toLocaleString('en-US');
export const millis = (value) =>
  value === null || value === undefined ? '' : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
export const percent = (share) =>
  share === null || share === undefined ? '' : `${(share * 100).toFixed(0)} %`;
