// Writes the results of the benchmark, of growth and of k6 into docs/load-test.md, and its pictures:
//   npm run bench:report
// What stands between `<!-- name -->` and `<!-- end -->` is made here; everything else in the page is written by hand.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { OPERATIONS } from '../contenders/case.mjs';
import { capacityText } from './capacity.mjs';
import { GOALS, LATENCY, MIXED, THROUGHPUT } from './columns.mjs';
import { INSTANCE_REVOCATIONS, INSTANCE_TENANTS, STORES } from './growth-columns.mjs';
import { K6, rowsOfK6 } from './k6-columns.mjs';
import { drawBenchmark, drawGrowth } from './pictures.mjs';
import { millis, toMarkdown, whole } from './table.mjs';
import { noteOnOthers } from './text.mjs';

const ROOT = join(import.meta.dirname, '..', '..');
const PAGE = join(ROOT, 'docs', 'load-test.md');
const PICTURES = join(ROOT, 'docs', 'load-test');

function read(name) {
  const file = join(ROOT, 'bench', 'results', `${name}.json`);
  if (!existsSync(file)) {
    process.stderr.write(`no ${name}.json: its sections stay as they are\n`);
    return null;
  }
  return JSON.parse(readFileSync(file, 'utf8'));
}

function machineText({ machine, date, seconds, throughput, floor }) {
  const placed = machine.pinned
    ? `Server on core ${machine.pinned.server}, load generator on core ${machine.pinned.generator}, Redis on core ${machine.pinned.redis}.`
    : 'Nothing was pinned to a core.';
  return [
    `${date}: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}, Redis ${machine.redis}. ${placed}`,
    `The run took ${whole(seconds / 60)} minutes. ${noteOnOthers(throughput, machine).trim()}`,
    `One core of it: ${whole(floor.verifyPerSecond)} RS256 verifications or ${whole(floor.signPerSecond)} signatures a second; a Redis round trip takes ${millis(floor.redisRoundTripMs)} ms.`,
  ].join('\n');
}

function benchmarkSections(results) {
  const { throughput, latency, mixed, goals } = results;
  const operations = OPERATIONS.map((operation) => [
    operation,
    toMarkdown(
      THROUGHPUT,
      throughput.filter((result) => result.operation === operation),
    ),
  ]);
  return {
    machine: machineText(results),
    ...Object.fromEntries(operations),
    latency: toMarkdown(LATENCY, latency),
    mixed: toMarkdown(MIXED, mixed),
    goals: toMarkdown(GOALS, goals),
  };
}

function growthSections({ stores, tenants, revocations }) {
  return {
    stores: toMarkdown(STORES, stores),
    tenants: toMarkdown(INSTANCE_TENANTS, tenants),
    revocations: toMarkdown(INSTANCE_REVOCATIONS, revocations),
  };
}

/** The sections that end with a picture: a page that was not measured has none to show. */
const PICTURED = {
  validate: '![Validations as a share of bare Fastify](load-test/validate.svg)',
  refresh: '![Creations and refreshes a second](load-test/create-refresh.svg)',
  latency: '![p99 at half of the maximum rate](load-test/latency.svg)',
  revocations: '![How memory grows](load-test/growth.svg)',
};

function fill(page, sections) {
  return Object.entries(sections).reduce((text, [name, table]) => {
    const content = [table, PICTURED[name]].filter(Boolean).join('\n\n');
    const place = new RegExp(`(<!-- ${name} -->)[\\s\\S]*?(<!-- end -->)`);
    if (!place.test(text)) throw new Error(`docs/load-test.md has no place for ${name}`);
    return text.replace(place, (_, begin, end) => `${begin}\n\n${content}\n\n${end}`);
  }, page);
}

const [benchmark, growth, k6] = ['latest', 'growth', 'k6'].map(read);
const sections = {
  ...(benchmark && benchmarkSections(benchmark)),
  ...(growth && growthSections(growth)),
  ...(k6 && { k6: toMarkdown(K6, rowsOfK6(k6)) }),
  ...(benchmark && growth && { capacity: capacityText(benchmark, growth) }),
};
const pictures = { ...(benchmark && drawBenchmark(benchmark)), ...(growth && drawGrowth(growth)) };
mkdirSync(PICTURES, { recursive: true });
for (const [name, svg] of Object.entries(pictures)) writeFileSync(join(PICTURES, name), svg);
const page = fill(readFileSync(PAGE, 'utf8'), sections);
writeFileSync(PAGE, await format(page, { ...(await resolveConfig(PAGE)), parser: 'markdown' }));
process.stdout.write(
  `docs/load-test.md: ${Object.keys(sections).length} sections, ${Object.keys(pictures).length} pictures\n`,
);
