export { AggregatedMetrics, type MetricFamilies, type WorkerCounts } from './aggregated-metrics.ts';
export type { GaugeSources } from './gauges.ts';
export { LastKnown } from './last-known.ts';
export { createMetrics, type Metrics, type MetricsOptions } from './metrics.ts';
export { highestOf, SeriesRing, weightedHitRate } from './series-ring.ts';
export type { MetricsSecond, Totals } from './second-window.ts';
