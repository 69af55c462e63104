// The few kinds of panel that the dashboards are made of, in Grafana's JSON. A dashboard is a list of rows.

const WIDTH = 24;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** Colours from a first bound on; the first step has none. */
const steps = (...bounds) => ({
  mode: 'absolute',
  steps: bounds.map(([color, value = null]) => ({ color, value })),
});

/** What is good up to a target, in red from there on. */
export const upTo = (target) => steps(['green'], ['red', target]);
/** What is good from a target on. */
export const from = (target) => steps(['red'], ['green', target]);
/** What is good while it is 0. */
export const none = () => steps(['green'], ['red', 1e-9]);

/**
 * @param query PromQL, or several with their legends: [[legend, query], ...]
 */
function targets(query, legend) {
  const queries = Array.isArray(query) ? query : [[legend, query]];
  return queries.map(([legendFormat, expr], at) => ({
    refId: String.fromCharCode(65 + at),
    datasource: DATASOURCE,
    expr,
    legendFormat: legendFormat ?? '__auto',
  }));
}

function panel(
  type,
  title,
  description,
  query,
  { unit, legend, thresholds, width, options, custom, ...rest },
) {
  return {
    type,
    title,
    description,
    datasource: DATASOURCE,
    width: width ?? 8,
    fieldConfig: {
      defaults: {
        unit,
        ...(rest.min === undefined ? {} : { min: rest.min }),
        ...(rest.max === undefined ? {} : { max: rest.max }),
        ...(rest.decimals === undefined ? {} : { decimals: rest.decimals }),
        ...(rest.mappings === undefined ? {} : { mappings: rest.mappings }),
        thresholds: thresholds ?? steps(['green']),
        color: { mode: type === 'timeseries' ? 'palette-classic' : 'thresholds' },
        custom: custom ?? {},
      },
      overrides: [],
    },
    options,
    targets: targets(query, legend).map((target) => ({
      ...target,
      ...(rest.instant ? { instant: true } : {}),
    })),
  };
}

/** Lines over time; a threshold is drawn as a line. */
export function lines(title, description, query, { stacked = false, ...rest }) {
  return panel('timeseries', title, description, query, {
    min: 0,
    ...rest,
    custom: {
      lineWidth: 1,
      fillOpacity: stacked ? 30 : 5,
      showPoints: 'never',
      spanNulls: false,
      stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
      thresholdsStyle: { mode: rest.thresholds ? 'line' : 'off' },
    },
    options: {
      legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'], showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  });
}

/** One number, now. */
export function number(title, description, query, rest) {
  return panel('stat', title, description, query, {
    width: 4,
    ...rest,
    options: {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      colorMode: rest.thresholds ? 'background' : 'value',
      graphMode: 'area',
      textMode: 'auto',
      orientation: 'auto',
    },
  });
}

/** A name that variables fill from a metric's label. */
export const labelVariable = (name, label, description, metric, more = {}) => ({
  name,
  type: 'query',
  label,
  description,
  datasource: DATASOURCE,
  definition: `label_values(${metric}, ${name})`,
  query: { query: `label_values(${metric}, ${name})`, refId: 'variable' },
  refresh: 2,
  sort: 1,
  multi: false,
  includeAll: false,
  ...more,
});

const DATASOURCE_VARIABLE = {
  name: 'datasource',
  type: 'datasource',
  label: 'Prometheus',
  query: 'prometheus',
  refresh: 1,
};

/** Panels from left to right, in a new line where they do not fit. */
function place(panels, top) {
  const placed = [];
  let [x, y, lineHeight] = [0, top, 0];
  for (const { width, ...rest } of panels) {
    const height = rest.type === 'stat' ? 4 : 8;
    if (x + width > WIDTH) [x, y, lineHeight] = [0, y + lineHeight, 0];
    placed.push({ ...rest, gridPos: { x, y, w: width, h: height } });
    x += width;
    lineHeight = Math.max(lineHeight, height);
  }
  return { placed, bottom: y + lineHeight };
}

/** @param rows [title, panels][] */
export function dashboard({ uid, title, description, variables, rows }) {
  const panels = [];
  let y = 0;
  for (const [rowTitle, rowPanels] of rows) {
    panels.push({
      type: 'row',
      title: rowTitle,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
    });
    const { placed, bottom } = place(rowPanels, y + 1);
    panels.push(...placed);
    y = bottom;
  }
  return {
    uid: `session-service-${uid}`,
    title: `Session service / ${title}`,
    description,
    tags: ['session-service'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    timezone: '',
    annotations: { list: [] },
    links: [
      {
        type: 'dashboards',
        title: 'Session service',
        tags: ['session-service'],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    templating: { list: [DATASOURCE_VARIABLE, ...variables] },
    panels: panels.map((each, at) => ({ id: at + 1, ...each })),
  };
}
