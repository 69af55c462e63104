/** Asks the store how it is before each scrape. */
import { Injectable } from '@nestjs/common';
import { Exposition } from '../http/metrics/exposition.js';
import { ServiceMetrics } from '../http/metrics/service.metrics.js';
import { StoreProbe } from './store-probe.js';

@Injectable()
export class StoreWatch {
  constructor(probe: StoreProbe, metrics: ServiceMetrics, exposition: Exposition) {
    exposition.beforeScrape(async () => metrics.setStore(await probe.status()));
  }
}
