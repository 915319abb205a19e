import type { Registry } from 'prom-client';
import { DirectCounter, DirectHistogram } from './direct-metrics.ts';

type Result = 'served' | 'forwarded' | 'fallback' | 'unanswered';

/** Where calls of one key were answered. */
export interface RoutingMetrics {
  /**
   * `served`: here, as planned. `forwarded`: by the member that it was sent to. `fallback`: here, because that member
   * could not be used. `unanswered`: by nobody, because only that member could have answered.
   */
  add(result: Result): void;
  /** Time until the answer of a forwarded call arrived. */
  forwardTook(durationMs: number): void;
}

export function createRoutingMetrics(registry: Registry): RoutingMetrics {
  const registers = [registry];
  const counter = new DirectCounter<'result'>({
    name: 'lockstep_routed_requests_total',
    help: 'Calls of one key by where they were answered',
    labelNames: ['result'],
    registers,
  });
  const cells = {
    served: counter.cell({ result: 'served' }),
    forwarded: counter.cell({ result: 'forwarded' }),
    fallback: counter.cell({ result: 'fallback' }),
    unanswered: counter.cell({ result: 'unanswered' }),
  } satisfies Record<Result, unknown>;
  const seconds = new DirectHistogram({
    name: 'lockstep_forward_duration_seconds',
    help: 'Time until the answer of a forwarded call arrived',
    registers,
  }).cell({});
  return {
    add: (result) => {
      cells[result].count += 1;
    },
    forwardTook: (durationMs) => seconds.observeMs(durationMs),
  };
}
