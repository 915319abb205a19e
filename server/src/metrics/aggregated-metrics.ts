/**
 * The metrics of all workers of one coordinator as one text.
 *
 * Counters and histograms are summed. Each gauge states its rule where it is defined (`aggregator`).
 * Invariant J9: a sum of a counter never falls, also when a worker ends: what it last told is kept.
 */
import { AggregatorRegistry, type Registry } from 'prom-client';

/** One family with its values, as prom-client gives it and takes it back. */
interface MetricFamily {
  name: string;
  help: string;
  type: unknown;
  aggregator: string;
  values: { value: number; labels: Partial<Record<string, string | number>> }[];
}
export type MetricFamilies = readonly MetricFamily[];

const GROWING = new Set<unknown>(['counter', 'histogram']);

export interface WorkerCounts {
  serving: number;
  wanted: number;
  /** Processes that were started in the place of one that had ended. */
  restarts: number;
}

/** A registry's families, as they can be sent to another process. */
export async function familiesOf(registry: Registry): Promise<MetricFamilies> {
  const families = await registry.getMetricsAsJSON();
  return families.map(({ name, help, type, aggregator, values }) => ({
    ...{ name, help, type, aggregator, values },
  }));
}

export class AggregatedMetrics {
  readonly #last = new Map<number, MetricFamilies>();
  /** What the processes that have ended had counted. */
  #ended: Promise<MetricFamilies> = Promise.resolve([]);

  /** A worker's metrics now. */
  note(slot: number, families: MetricFamilies): void {
    this.#last.set(slot, families);
  }

  /** The process in this slot has ended: of what it told last, its counts are kept. */
  keepEnded(slot: number): void {
    const last = this.#last.get(slot) ?? [];
    this.#last.delete(slot);
    const counts = last.filter(({ type }) => GROWING.has(type));
    this.#ended = this.#ended.then((ended) => familiesOf(aggregate([ended, counts])));
  }

  async text(workers: WorkerCounts): Promise<string> {
    const ended = await this.#ended;
    return aggregate([...this.#last.values(), ended, ownFamilies(workers)]).metrics();
  }
}

const aggregate = (parts: MetricFamilies[]): Registry =>
  AggregatorRegistry.aggregate<typeof Registry.PROMETHEUS_CONTENT_TYPE>(parts);

function ownFamilies({ serving, wanted, restarts }: WorkerCounts): MetricFamilies {
  return [
    {
      ...{ name: 'lockstep_workers', help: 'Worker processes', type: 'gauge', aggregator: 'sum' },
      values: [
        { labels: { state: 'serving' }, value: serving },
        { labels: { state: 'wanted' }, value: wanted },
      ],
    },
    {
      name: 'lockstep_worker_restarts_total',
      help: 'Workers started in the place of one that had ended',
      ...{ type: 'counter', aggregator: 'sum', values: [{ labels: {}, value: restarts }] },
    },
  ];
}
