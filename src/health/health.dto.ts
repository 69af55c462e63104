export class HealthDto {
  /** @example ok */
  status!: 'ok' | 'error';
  /** `degraded`: it refuses writes, or may forget what it was told. @example up */
  store!: 'up' | 'degraded' | 'down';
  /** The same, when the store is Redis. @example up */
  redis?: 'up' | 'degraded' | 'down';
  /** What is wrong, when something is. @example "redis does not answer" */
  reason?: string;
  /** Age of what this instance knows of revocations, in ms; null before it has read the change feed. @example 35 */
  replica_age_ms!: number | null;
  /** Whether the instance is shutting down. @example false */
  draining!: boolean;
  /** @example 4711 */
  uptime_seconds!: number;
}
