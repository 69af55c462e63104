// One brand's own page: its sessions, and what became of them.
import { dashboard, labelVariable, lines, none, number, upTo } from './grafana.mjs';
import { JOB_VARIABLE } from './overview.mjs';
import { JOB, orZero, p50, p99, sumRate } from './queries.mjs';

const TENANT = `${JOB},tenant_id="$tenant_id"`;
const VALIDATION = 'session_validation_duration_seconds';
const ROTATION_DAYS = 90;

export const tenant = dashboard({
  uid: 'tenant',
  title: 'Tenant',
  description: 'One brand: live sessions, creations, validations, refreshes, endings by reason, reuse, keys.',
  variables: [
    JOB_VARIABLE,
    labelVariable(
      'tenant_id',
      'Tenant',
      'Tenants beyond METRICS_MAX_TENANTS are counted together as `other`.',
      'sessions_validated_total{job="$job"}',
    ),
  ],
  rows: [
    [
      'Now',
      [
        number('Live sessions', 'In the store.', `max(sessions_active{${TENANT}})`, {
          unit: 'short',
          width: 6,
        }),
        number(
          'Validation, p99',
          'With the revocation check; the target is 10 ms.',
          p99(VALIDATION, `${TENANT},check!="skip"`),
          { unit: 's', thresholds: upTo(0.01), width: 6 },
        ),
        number(
          'Reuse in the last hour',
          'Sessions that were ended because a replaced refresh token came back.',
          orZero(`sum(increase(refresh_token_reuse_total{${TENANT}}[1h]))`),
          { unit: 'short', thresholds: none(), width: 6 },
        ),
        number(
          'Age of the signing key',
          'Since the key that signs now began to. It is replaced after KEY_ROTATION_DAYS.',
          `max(signing_key_age_seconds{${TENANT}})`,
          { unit: 's', thresholds: upTo((ROTATION_DAYS + 1) * 86400), width: 6 },
        ),
      ],
    ],
    [
      'Sessions',
      [
        lines('Live sessions', 'In the store.', `max(sessions_active{${TENANT}})`, {
          unit: 'short',
          legend: 'live',
        }),
        lines('Created', 'Logins in a second.', sumRate(`sessions_created_total{${TENANT}}`), {
          unit: 'cps',
          legend: 'created',
        }),
        lines(
          'Ended by reason',
          'Without those of a tenant-wide revocation, which are not counted one by one.',
          orZero(sumRate(`sessions_revoked_total{${TENANT}}`, 'reason')),
          { unit: 'cps', legend: '{{reason}}', stacked: true },
        ),
      ],
    ],
    [
      'Tokens',
      [
        lines(
          'Validations by result',
          'Valid, or why the token was refused.',
          sumRate(`sessions_validated_total{${TENANT}}`, 'result'),
          { unit: 'reqps', legend: '{{result}}', stacked: true },
        ),
        lines(
          'Refreshes by outcome',
          '`rotated` is the usual; `repeated` answers a lost one again; the rest are refusals.',
          orZero(sumRate(`sessions_refreshed_total{${TENANT}}`, 'outcome')),
          { unit: 'cps', legend: '{{outcome}}', stacked: true },
        ),
        lines(
          'Reuse by cause',
          '`replaced_token`: the one before came back too late. `older_token`: one from before that.',
          orZero(sumRate(`refresh_token_reuse_total{${TENANT}}`, 'cause')),
          { unit: 'cps', legend: '{{cause}}' },
        ),
      ],
    ],
    [
      'Latency',
      [
        lines(
          'Validation, p99 by check',
          'What the answer went by: memory, the store, neither (`stale`), or the signature alone (`skip`).',
          p99(VALIDATION, TENANT, 'check'),
          { unit: 's', legend: '{{check}}', thresholds: upTo(0.01), width: 12 },
        ),
        lines('Validation, p50 by check', 'The middle one of all.', p50(VALIDATION, TENANT, 'check'), {
          unit: 's',
          legend: '{{check}}',
          width: 12,
        }),
      ],
    ],
  ],
});
