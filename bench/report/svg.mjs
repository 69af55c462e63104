// Pictures of results, as SVG text: horizontal bars and lines. They stand on white, so that they can be read on any page.

const FONT = 'font-family="system-ui, sans-serif" font-size="13"';
const COLOURS = { ceiling: '#9aa0a6', service: '#1a73e8', peer: '#e8912d', limit: '#c5221f' };
const WIDTH = 940;
const LABELS = 430;
const ROW = 26;
const TOP = 46;

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const text = (x, y, content, more = '') =>
  `<text x="${x}" y="${y}" ${FONT} ${more}>${escape(content)}</text>`;

function picture(height, title, parts) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(16, 26, title, 'font-weight="600"'),
    ...parts,
    '</svg>\n',
  ].join('\n');
}

/**
 * @param rows [{ label, value, kind, low, high, limit }]; low and high are drawn as a whisker, limit as a red mark
 * @param options.show value -> text; options.logFrom the left end of a logarithmic axis, none for one from 0
 */
export function bars(title, rows, { show, logFrom }) {
  const most = Math.max(...rows.flatMap((row) => [row.value, row.high ?? 0, row.limit ?? 0]));
  const room = WIDTH - LABELS - 90;
  const scale = (value) =>
    logFrom === undefined
      ? (value / most) * room
      : (Math.max(0, Math.log10(value / logFrom)) / Math.log10(most / logFrom)) * room;
  const parts = rows.flatMap((row, at) => {
    const y = TOP + at * ROW;
    const width = Math.max(1, scale(row.value));
    const end = LABELS + Math.max(width, scale(row.high ?? 0), scale(row.limit ?? 0));
    return [
      text(LABELS - 8, y + 14, row.label, 'text-anchor="end"'),
      `<rect x="${LABELS}" y="${y + 2}" width="${width.toFixed(1)}" height="${ROW - 8}" fill="${COLOURS[row.kind]}"/>`,
      row.high === undefined
        ? ''
        : whisker(LABELS + scale(row.low), LABELS + scale(row.high), y + ROW / 2 - 2),
      row.limit === undefined ? '' : mark(LABELS + scale(row.limit), y),
      text((end + 6).toFixed(1), y + 14, show(row.value)),
    ];
  });
  return picture(TOP + rows.length * ROW + 14, title, parts.filter(Boolean));
}

function whisker(from, to, y) {
  return `<path d="M${from.toFixed(1)} ${y}H${to.toFixed(1)}" stroke="#202124" stroke-width="1.5"/>`;
}

function mark(x, y) {
  return `<path d="M${x.toFixed(1)} ${y}v${ROW - 4}" stroke="${COLOURS.limit}" stroke-width="2"/>`;
}

const LINE_COLOURS = ['#1a73e8', '#e8912d', '#188038', '#9334e6'];

/**
 * Both axes logarithmic: what grows in proportion is a straight line of the same slope everywhere.
 * @param series [{ label, points: [[x, y]] }]; options.x and options.y: value -> text
 */
export function lines(title, series, { x, y }) {
  const [left, right, top, bottom] = [90, WIDTH - 260, TOP, 360];
  const [xs, ys] = [0, 1].map((at) => series.flatMap(({ points }) => points.map((point) => point[at])));
  const axis = (values, from, to) => {
    const [low, high] = [
      Math.floor(Math.log10(Math.min(...values))),
      Math.ceil(Math.log10(Math.max(...values))),
    ];
    const place = (value) => from + ((Math.log10(value) - low) / Math.max(1, high - low)) * (to - from);
    return { place, ticks: Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at)) };
  };
  const across = axis(xs, left, right);
  const upward = axis(ys, bottom, top);
  const parts = [
    ...across.ticks.flatMap((tick) => [
      `<path d="M${across.place(tick)} ${top}V${bottom}" stroke="#e0e0e0"/>`,
      text(across.place(tick), bottom + 18, x(tick), 'text-anchor="middle"'),
    ]),
    ...upward.ticks.flatMap((tick) => [
      `<path d="M${left} ${upward.place(tick)}H${right}" stroke="#e0e0e0"/>`,
      text(left - 8, upward.place(tick) + 4, y(tick), 'text-anchor="end"'),
    ]),
    ...series.flatMap(({ points }, at) => {
      const colour = LINE_COLOURS[at % LINE_COLOURS.length];
      const path = points.map(
        (point) => `${across.place(point[0]).toFixed(1)} ${upward.place(point[1]).toFixed(1)}`,
      );
      return [`<path d="M${path.join('L')}" fill="none" stroke="${colour}" stroke-width="2.5"/>`];
    }),
    ...endLabels(series, across, upward),
  ];
  return picture(bottom + 34, title, parts);
}

/** Beside the last points of their lines, and never on top of each other. */
function endLabels(series, across, upward) {
  const ends = series.map(({ label, points: line }, at) => {
    const [x, y] = line.at(-1);
    return {
      label,
      x: across.place(x) + 8,
      y: upward.place(y) + 4,
      colour: LINE_COLOURS[at % LINE_COLOURS.length],
    };
  });
  let free = -Infinity;
  return ends
    .toSorted((a, b) => a.y - b.y)
    .map(({ label, x, y, colour }) => {
      const at = Math.max(y, free);
      free = at + 18;
      return text(x, at, label, `fill="${colour}"`);
    });
}
