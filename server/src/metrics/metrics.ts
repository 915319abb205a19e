import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { KeyEvent } from '@lockstep/shared';
import type { Key, Resource, Telemetry } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { familiesOf, type MetricFamilies } from './aggregated-metrics.ts';
import { registerGauges, type GaugeSources } from './gauges.ts';
import { HotKeys } from './hot-keys.ts';
import { KeyHistory } from './key-history.ts';
import { PrometheusTelemetry } from './prometheus-telemetry.ts';
import { createRoutingMetrics, type RoutingMetrics } from './routing-metrics.ts';
import { SecondWindow, type MetricsSecond, type Totals } from './second-window.ts';

export interface MetricsOptions {
  /** This coordinator's id, as in the live stream. */
  instance: string;
  version: string;
  runtime: Runtime;
  /** False leaves out the process's own metrics (tests). Default true. */
  processMetrics?: boolean;
}

/** The consumers of telemetry, and what they can report. */
export interface Metrics {
  /** Give this to every capability. */
  telemetry: Telemetry;
  /** Counts how calls of one key were routed. */
  routing: RoutingMetrics;
  /** Prometheus text, for `GET /metrics`; resolves within about a second, whatever is down. */
  text(): Promise<string>;
  /** The same for another process, which adds up the metrics of several. */
  families(): Promise<MetricFamilies>;
  /** Its `Content-Type`. */
  contentType: string;
  /** Sets what `/metrics` reads at a scrape. Call it once, when the capabilities are there. */
  observe(sources: GaugeSources): void;
  /** Closes the running second and returns it. The live stream is its only caller. */
  second(): MetricsSecond;
  /** Totals since start. */
  totals(): Totals;
  /** Recent events of a key on this instance, newest first, at most 20. */
  keyEvents(key: { lockKey: string }): KeyEvent[];
  /** The keys read and written most in the last minutes, most first. */
  hotKeys(resource: Resource, count: number): Key[];
}

/** Makes the consumers of this instance's telemetry. */
export function createMetrics({
  instance,
  version,
  runtime,
  processMetrics = true,
}: MetricsOptions): Metrics {
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'lockstep_build_info',
    help: 'Always 1; the labels name the version that runs',
    labelNames: ['instance', 'version'],
    registers: [registry],
  }).set({ instance, version }, 1);
  const window = new SecondWindow(runtime.clock);
  const history = new KeyHistory(runtime.clock, instance);
  const hotKeys = new HotKeys(runtime.clock);
  const consumers = [new PrometheusTelemetry(registry), window, history, hotKeys];
  return {
    telemetry: {
      emit(event) {
        for (const consumer of consumers) consumer.emit(event);
      },
    },
    routing: createRoutingMetrics(registry),
    text: () => registry.metrics(),
    families: () => familiesOf(registry),
    contentType: registry.contentType,
    observe: (sources) => registerGauges(registry, sources, runtime),
    second: () => window.close(),
    totals: () => window.totals(),
    keyEvents: (key) => history.of(key),
    hotKeys: (resource, count) => hotKeys.top(resource, count),
  };
}
