// Does a revocation reach every instance, and how fast?
import { dashboard, lines, none, number, upTo } from './grafana.mjs';
import { JOB_VARIABLE } from './overview.mjs';
import { JOB, orZero, p50, p99, rate, sumRate } from './queries.mjs';

const PROPAGATION = 'revocation_propagation_seconds';
const OPERATION = 'redis_operation_duration_seconds';

export const revocation = dashboard({
  uid: 'revocation',
  title: 'Revocation',
  description: 'How old what instances know is, how fast news travels, and what validations went by.',
  variables: [JOB_VARIABLE],
  rows: [
    [
      'Now',
      [
        number(
          'Oldest replica',
          'Older than REVOCATION_REPLICA_MAX_AGE_MS (1 s), an instance asks the store instead.',
          `max(revocation_replica_age_seconds{${JOB}})`,
          { unit: 's', thresholds: upTo(1), width: 6 },
        ),
        number(
          'Propagation, p99',
          'From the announcement to the arrival at an instance; promised within 1 s.',
          orZero(`${p99(PROPAGATION, JOB)} >= 0`),
          { unit: 's', thresholds: upTo(1), width: 6 },
        ),
        number(
          'Revocations in memory',
          'In the fullest instance. Beyond REVOCATION_REPLICA_MAX_ENTRIES the store is asked.',
          `max(revocation_replica_entries{${JOB}})`,
          { unit: 'short', width: 6 },
        ),
        number(
          'Feed broken, last hour',
          'Times that the feed was not the continuation of what an instance had read: a failover lost entries.',
          orZero(`sum(increase(change_feed_resyncs_total{${JOB}}[1h]))`),
          { unit: 'short', thresholds: none(), width: 6 },
        ),
      ],
    ],
    [
      'The replica',
      [
        lines(
          'Age by instance',
          'Time since the last completed read of the feed was issued; -1 before the first.',
          `revocation_replica_age_seconds{${JOB}}`,
          { unit: 's', legend: '{{instance}}', thresholds: upTo(1), min: -1 },
        ),
        lines('Entries by instance', 'Revocations held in memory.', `revocation_replica_entries{${JOB}}`, {
          unit: 'short',
          legend: '{{instance}}',
        }),
        lines('Memory by instance', 'Of the revocations held.', `revocation_replica_bytes{${JOB}}`, {
          unit: 'bytes',
          legend: '{{instance}}',
        }),
      ],
    ],
    [
      'The way there',
      [
        lines(
          'Propagation',
          'From the announcement of a change to its arrival. The line is the promise.',
          [
            ['p99', `${p99(PROPAGATION, JOB)} >= 0`],
            ['p50', `${p50(PROPAGATION, JOB)} >= 0`],
          ],
          { unit: 's', thresholds: upTo(1) },
        ),
        lines(
          'Feed lag, p99',
          'How long reads of the feed take that find nothing new: they wait up to 0.2 s for news.',
          p99(OPERATION, `${JOB},operation="tail-feed"`, 'instance'),
          { unit: 's', legend: '{{instance}}' },
        ),
        lines(
          'Changes that arrived',
          'Revocations and changes to tenants and keys, at each instance.',
          rate(`${PROPAGATION}_count{${JOB}}`),
          { unit: 'cps', legend: '{{instance}}' },
        ),
      ],
    ],
    [
      'What came of it',
      [
        lines(
          'Sessions ended by reason',
          'All tenants together.',
          orZero(sumRate(`sessions_revoked_total{${JOB}}`, 'reason')),
          { unit: 'cps', legend: '{{reason}}', stacked: true },
        ),
        lines(
          'What validations went by',
          '`replica`: memory. `store`: it was asked for, or memory was too old. `stale`: neither could tell.',
          sumRate(`session_validation_duration_seconds_count{${JOB}}`, 'check'),
          { unit: 'reqps', legend: '{{check}}', stacked: true },
        ),
        lines(
          'Trouble with the feed',
          'Broken continuations by cause, and entries that nobody understood.',
          [
            ['broken: {{cause}}', orZero(sumRate(`change_feed_resyncs_total{${JOB}}`, 'cause'))],
            ['malformed', orZero(sumRate(`change_feed_malformed_entries_total{${JOB}}`))],
          ],
          { unit: 'cps', thresholds: none() },
        ),
      ],
    ],
  ],
});
