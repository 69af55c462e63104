// Is the store well, and what is asked of it?
import { dashboard, from, lines, none, number } from './grafana.mjs';
import { JOB_VARIABLE } from './overview.mjs';
import { JOB, orZero, p50, p99, sumRate } from './queries.mjs';

const OPERATION = 'redis_operation_duration_seconds';
// Reads of the feed wait for news: their time says nothing of Redis.
const ASKED = `${JOB},operation!="tail-feed"`;
const failed = `redis_operations_total{${JOB},status!="ok"}`;

export const store = dashboard({
  uid: 'store',
  title: 'Store',
  description:
    'Redis as the instances see it: whether it can be used, round trips, failures, evictions; the audit’s queue.',
  variables: [JOB_VARIABLE],
  rows: [
    [
      'Now',
      [
        number('Store', 'Whether every instance can read, write and trust it.', `min(store_up{${JOB}})`, {
          unit: 'none',
          thresholds: from(1),
          width: 6,
          mappings: [
            { type: 'value', options: { 0: { text: 'out', index: 0 }, 1: { text: 'up', index: 1 } } },
          ],
        }),
        number('Operations', 'Asked of Redis in a second.', sumRate(`redis_operations_total{${JOB}}`), {
          unit: 'ops',
          width: 6,
        }),
        number(
          'Failed operations',
          'Share that had no good answer in time.',
          `(${orZero(sumRate(failed))}) / (${sumRate(`redis_operations_total{${JOB}}`)} > 0)`,
          { unit: 'percentunit', thresholds: none(), width: 6 },
        ),
        number(
          'Evicted keys, last hour',
          'Keys that Redis threw away for want of memory: each may un-revoke a token.',
          orZero(`max(increase(redis_evicted_keys_total{${JOB}}[1h]))`),
          { unit: 'short', thresholds: none(), width: 6 },
        ),
      ],
    ],
    [
      'Round trips',
      [
        lines(
          'p99 by operation',
          'Without reads of the feed, which wait for news.',
          p99(OPERATION, ASKED, 'operation'),
          {
            unit: 's',
            legend: '{{operation}}',
          },
        ),
        lines('p50 by operation', 'The middle one of all.', p50(OPERATION, ASKED, 'operation'), {
          unit: 's',
          legend: '{{operation}}',
        }),
        lines('By operation', 'Asked in a second.', sumRate(`redis_operations_total{${JOB}}`, 'operation'), {
          unit: 'ops',
          legend: '{{operation}}',
          stacked: true,
        }),
      ],
    ],
    [
      'Trouble',
      [
        lines('Store by instance', '1: can be read, written and trusted.', `store_up{${JOB}}`, {
          unit: 'none',
          legend: '{{instance}}',
          max: 1,
        }),
        lines(
          'Failures by status',
          '`timeout`: no answer in time. `not_sent`: it was known to be out. `failed`: refused, or the connection broke.',
          orZero(sumRate(failed, 'status')),
          { unit: 'ops', legend: '{{status}}', stacked: true },
        ),
        lines('Failures by operation', 'What could not be done.', orZero(sumRate(failed, 'operation')), {
          unit: 'ops',
          legend: '{{operation}}',
          stacked: true,
        }),
      ],
    ],
    [
      'What it holds',
      [
        lines(
          'Live sessions by tenant',
          'The ten with the most.',
          `topk(10, max by (tenant_id) (sessions_active{${JOB}}))`,
          { unit: 'short', legend: '{{tenant_id}}' },
        ),
        lines(
          'Audit entries by outcome',
          'Recorded in the store, dropped because too many waited, or repeated within another entry.',
          sumRate(`audit_entries_total{${JOB}}`, 'outcome'),
          { unit: 'cps', legend: '{{outcome}}' },
        ),
        lines('Audit entries that wait', 'In memory, by instance.', `audit_queue_entries{${JOB}}`, {
          unit: 'short',
          legend: '{{instance}}',
        }),
      ],
    ],
  ],
});
