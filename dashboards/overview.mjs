// Is the service well? Traffic, errors, latency against the targets, saturation.
import { dashboard, from, labelVariable, lines, none, number, upTo } from './grafana.mjs';
import { ASKED, JOB, orZero, p50, p99, rate, sumRate } from './queries.mjs';

export const JOB_VARIABLE = labelVariable(
  'job',
  'Job',
  'The scrape job of the session service.',
  'service_info',
);

const REQUESTS = 'http_request_duration_seconds';
const VALIDATION = 'session_validation_duration_seconds';
const failures = sumRate(`${REQUESTS}_count{${ASKED},status=~"5.."}`);
const requests = sumRate(`${REQUESTS}_count{${ASKED}}`);
const created = `${JOB},route="/sessions",method="POST",status="201"`;
const refreshed = `${JOB},route="/sessions/refresh",method="POST",status="200"`;

export const overview = dashboard({
  uid: 'overview',
  title: 'Overview',
  description: 'Traffic, errors, latency against the targets and saturation of all instances together.',
  variables: [JOB_VARIABLE],
  rows: [
    [
      'Now',
      [
        number('Instances', 'Instances that answer scrapes.', `count(service_info{${JOB}})`, {
          unit: 'none',
          thresholds: from(1),
        }),
        number('Requests', 'Requests of users and services in a second.', requests, { unit: 'reqps' }),
        number(
          'Answered without failure',
          'Share of requests that were not answered with a 5xx. The target is 99.99 % over 30 days.',
          `1 - (${orZero(failures)}) / (${requests} > 0)`,
          { unit: 'percentunit', decimals: 3, max: 1, thresholds: from(0.9999) },
        ),
        number(
          'Validation, p99',
          'With the revocation check; the target is 10 ms.',
          p99(VALIDATION, `${JOB},check!="skip"`),
          { unit: 's', thresholds: upTo(0.01) },
        ),
        number(
          'Oldest replica',
          'How old what the worst instance knows of revocations is; older than 1 s it asks the store.',
          `max(revocation_replica_age_seconds{${JOB}})`,
          { unit: 's', thresholds: upTo(1) },
        ),
        number(
          'Live sessions',
          'In the store, all tenants together.',
          `sum(max by (tenant_id) (sessions_active{${JOB}}))`,
          { unit: 'short' },
        ),
      ],
    ],
    [
      'Traffic',
      [
        lines(
          'Requests by route',
          'Answered requests in a second.',
          sumRate(`${REQUESTS}_count{${ASKED}}`, 'method, route'),
          {
            unit: 'reqps',
            legend: '{{method}} {{route}}',
            stacked: true,
          },
        ),
        lines(
          'Validations by result',
          'Access tokens that were checked: valid, or why they were refused.',
          sumRate(`sessions_validated_total{${JOB}}`, 'result'),
          { unit: 'reqps', legend: '{{result}}', stacked: true },
        ),
        lines(
          'Busiest tenants',
          'The ten with the most validations.',
          `topk(10, ${sumRate(`sessions_validated_total{${JOB}}`, 'tenant_id')})`,
          { unit: 'reqps', legend: '{{tenant_id}}' },
        ),
      ],
    ],
    [
      'Errors',
      [
        lines(
          'Share of failed requests',
          'Answered with a 5xx. The line is the error budget: 0.01 % of requests.',
          `(${orZero(failures)}) / (${requests} > 0)`,
          { unit: 'percentunit', legend: 'failed', thresholds: upTo(0.0001) },
        ),
        lines(
          'Refused by error',
          'Requests that were answered with an error of docs/errors.md.',
          sumRate(`requests_refused_total{${JOB}}`, 'code'),
          { unit: 'reqps', legend: '{{code}}' },
        ),
        lines(
          'Clients that left',
          'Requests whose client did not wait for the answer.',
          orZero(sumRate(`${REQUESTS}_count{${ASKED},status="499"}`)),
          { unit: 'reqps', legend: 'left' },
        ),
      ],
    ],
    [
      'Latency against the targets',
      [
        lines(
          'Validate, with revocation check',
          'Target: p99 below 10 ms.',
          [
            ['p99', p99(VALIDATION, `${JOB},check!="skip"`)],
            ['p50', p50(VALIDATION, `${JOB},check!="skip"`)],
          ],
          { unit: 's', thresholds: upTo(0.01), width: 6 },
        ),
        lines(
          'Validate, signature only',
          'Target: p99 below 5 ms.',
          [
            ['p99', p99(VALIDATION, `${JOB},check="skip"`)],
            ['p50', p50(VALIDATION, `${JOB},check="skip"`)],
          ],
          { unit: 's', thresholds: upTo(0.005), width: 6 },
        ),
        lines(
          'Create',
          'Target: p99 below 20 ms.',
          [
            ['p99', p99(REQUESTS, created)],
            ['p50', p50(REQUESTS, created)],
          ],
          { unit: 's', thresholds: upTo(0.02), width: 6 },
        ),
        lines(
          'Refresh',
          'Target: p99 below 15 ms.',
          [
            ['p99', p99(REQUESTS, refreshed)],
            ['p50', p50(REQUESTS, refreshed)],
          ],
          { unit: 's', thresholds: upTo(0.015), width: 6 },
        ),
      ],
    ],
    [
      'Saturation',
      [
        lines(
          'Event-loop delay, p99',
          'How late the one thread of an instance is. From 0.1 s on there is more to do than it can.',
          `nodejs_eventloop_lag_p99_seconds{${JOB}}`,
          { unit: 's', legend: '{{instance}}', thresholds: upTo(0.1), width: 6 },
        ),
        lines(
          'CPU',
          'Cores in use by an instance; the event loop has one.',
          rate(`process_cpu_seconds_total{${JOB}}`),
          {
            unit: 'short',
            legend: '{{instance}}',
            width: 6,
          },
        ),
        lines('Memory', 'Resident memory of an instance.', `process_resident_memory_bytes{${JOB}}`, {
          unit: 'bytes',
          legend: '{{instance}}',
          width: 6,
        }),
        lines(
          'Garbage collection',
          'Share of time that an instance stands still for it.',
          `sum by (instance) (${rate(`nodejs_gc_duration_seconds_sum{${JOB}}`)})`,
          { unit: 'percentunit', legend: '{{instance}}', width: 6 },
        ),
      ],
    ],
    [
      'What it depends on',
      [
        number(
          'Store',
          'Whether every instance can read, write and trust its store.',
          `min(store_up{${JOB}})`,
          {
            unit: 'none',
            thresholds: from(1),
            mappings: [
              { type: 'value', options: { 0: { text: 'out', index: 0 }, 1: { text: 'up', index: 1 } } },
            ],
          },
        ),
        number(
          'Most overdue key',
          'How much longer than KEY_ROTATION_DAYS any tenant’s key has been signing.',
          `max(signing_key_overdue_seconds{${JOB}})`,
          { unit: 's', thresholds: upTo(86400) },
        ),
        number(
          'Audit entries dropped',
          'In the last hour: nobody will be able to prove what they would have said.',
          `sum(increase(audit_entries_total{${JOB},outcome="dropped"}[1h]))`,
          { unit: 'short', thresholds: none() },
        ),
        number('Audit entries waiting', 'In memory, for the store.', `sum(audit_queue_entries{${JOB}})`, {
          unit: 'short',
        }),
        lines(
          'Versions',
          'Instances by the version that they run.',
          `count by (version) (service_info{${JOB}})`,
          {
            unit: 'none',
            legend: '{{version}}',
            stacked: true,
          },
        ),
      ],
    ],
  ],
});
