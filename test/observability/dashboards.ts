/** The dashboards as they are shipped: their panels' queries, and what these speak of. */
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

export interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Target[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { name: string; type: string; query: unknown }[] };
}

export const DASHBOARDS_FOLDER = 'helm/multi-tenant-session-service/dashboards';
export const RULES_FILE = 'helm/multi-tenant-session-service/rules/session-service.yaml';

export const dashboards = globSync(`${DASHBOARDS_FOLDER}/*.json`)
  .toSorted()
  .map((file) => ({
    name: basename(file, '.json'),
    dashboard: JSON.parse(readFileSync(file, 'utf8')) as Dashboard,
  }));

/** Every query of every panel. */
export const queries = dashboards.flatMap(({ name, dashboard }) =>
  dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map((target) => ({ where: `${name} / ${title}`, ...target })),
  ),
);

export interface Mentioned {
  /** Series by the labels that a selector asks for. */
  readonly series: readonly { readonly name: string; readonly labels: readonly string[] }[];
  /** Labels that results are grouped or matched by. */
  readonly grouping: readonly string[];
}

const KEYWORDS = /^(and|or|unless|on|ignoring|by|without|bool|offset|group_left|group_right|inf|nan)$/i;

/** What a PromQL expression speaks of. Functions are what is called; everything else that is a name is a series. */
export function mentionedBy(expr: string): Mentioned {
  const text = expr.replace(/"(?:[^"\\]|\\.)*"/g, '""').replace(/\[[^\]]*\]/g, '');
  const grouping = [...text.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].flatMap(
    ([, labels = '']) => labels.split(',').flatMap((label) => label.trim() || []),
  );
  const rest = text.replace(/\b(?:by|on|without|ignoring)\s*\([^)]*\)/g, ' ');
  const series = [...rest.matchAll(/(?<![\w.])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\}|\()?/g)].flatMap(
    ([, name = '', after]) => {
      if (after === '(' || KEYWORDS.test(name)) return [];
      const labels = [...(after ?? '').matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label);
      return [{ name, labels }];
    },
  );
  return { series, grouping };
}
