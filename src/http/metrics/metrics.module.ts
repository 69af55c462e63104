import { Global, Module } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { AUDIT_METRIC_PROVIDERS, AuditMetrics } from './audit.metrics.js';
import { StoreOperations } from '../../store-operations.js';
import { Exposition } from './exposition.js';
import { HTTP_METRIC_PROVIDERS, HttpMetrics } from './http.metrics.js';
import { KEY_METRIC_PROVIDERS, KeyMetrics } from './key.metrics.js';
import { MetricsController } from './metrics.controller.js';
import { REDIS_METRIC_PROVIDERS, RedisMetrics } from './redis.metrics.js';
import { REPLICA_METRIC_PROVIDERS, ReplicaMetrics } from './replica.metrics.js';
import { SERVICE_METRIC_PROVIDERS, ServiceMetrics } from './service.metrics.js';
import { SESSION_METRIC_PROVIDERS, SessionMetrics } from './session.metrics.js';
import { STREAM_METRIC_PROVIDERS, StreamMetrics } from './stream.metrics.js';
import { TenantSeries } from './tenant-series.js';

/** What Prometheus may know. The only place that knows of prom-client. */
@Global()
@Module({
  imports: [PrometheusModule.register({ controller: MetricsController })],
  providers: [
    Exposition,
    TenantSeries,
    ...AUDIT_METRIC_PROVIDERS,
    AuditMetrics,
    ...REPLICA_METRIC_PROVIDERS,
    ReplicaMetrics,
    ...HTTP_METRIC_PROVIDERS,
    HttpMetrics,
    ...SESSION_METRIC_PROVIDERS,
    SessionMetrics,
    ...AUDIT_METRIC_PROVIDERS,
    AuditMetrics,
    ...KEY_METRIC_PROVIDERS,
    KeyMetrics,
    ...SERVICE_METRIC_PROVIDERS,
    ServiceMetrics,
    ...STREAM_METRIC_PROVIDERS,
    StreamMetrics,
    ...REDIS_METRIC_PROVIDERS,
    RedisMetrics,
    { provide: StoreOperations, useExisting: RedisMetrics },
  ],
  exports: [
    Exposition,
    TenantSeries,
    AuditMetrics,
    ReplicaMetrics,
    SessionMetrics,
    AuditMetrics,
    KeyMetrics,
    ServiceMetrics,
    StreamMetrics,
    StoreOperations,
  ],
})
export class MetricsModule {}
