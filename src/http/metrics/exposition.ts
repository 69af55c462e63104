/** What a scrape gets: the readings of the moment, then every metric. */
import cluster from 'node:cluster';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { register } from 'prom-client';
import { textOf } from './text-format.js';
import { WorkerMetrics, type Snapshot } from './worker-metrics.js';

/** What takes longer, such as a store that does not answer, is told as it was known before. */
const READINGS_WITHIN_MS = 1000;

@Injectable()
export class Exposition {
  private readonly readings: (() => unknown)[] = [];
  private rendering: Promise<string> | null = null;
  /** null in a process that serves alone. */
  private readonly workers = cluster.isWorker ? new WorkerMetrics(() => this.snapshot()) : null;

  get contentType(): string {
    return register.contentType;
  }

  /** @param take sets gauges; when it fails, what is told is what was known before */
  beforeScrape(take: () => unknown): void {
    this.readings.push(take);
  }

  /** Scrapes at the same time share one. */
  text(): Promise<string> {
    this.rendering ??= (this.workers?.text() ?? this.render()).finally(() => (this.rendering = null));
    return this.rendering;
  }

  private async takeReadings(): Promise<void> {
    const taken = Promise.allSettled(this.readings.map(async (take) => take()));
    await Promise.race([taken, delay(READINGS_WITHIN_MS, undefined, { ref: false })]);
  }

  private async snapshot(): Promise<Snapshot> {
    await this.takeReadings();
    return register.getMetricsAsJSON();
  }

  private async render(): Promise<string> {
    await this.takeReadings();
    return textOf(register);
  }
}
