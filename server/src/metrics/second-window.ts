import { ERROR_CODES, type ErrorCode, type MetricsEvent, type Policy } from '@lockstep/shared';
import type { Runtime } from '../runtime/index.ts';
import { isServedFromCache, type Telemetry, type TelemetryEvent } from '../domain/index.ts';
import { LogHistogram } from './log-histogram.ts';

/** What this instance did between two calls of `close`. Rates are per second, latencies in ms. */
export interface MetricsSecond {
  writesPerSecond: number;
  readsPerSecond: number;
  errorsPerSecond: number;
  /** Answered reads of cached resources per second: what the hit rate is a share of. */
  lookupsPerSecond: number;
  hitRate: number | null;
  writeP50Ms: number | null;
  writeP99Ms: number | null;
  readP50Ms: number | null;
  readP99Ms: number | null;
  lockWaitP99Ms: number | null;
}

export type Totals = MetricsEvent['totals'];

/**
 * Counts the telemetry of each second, for the live stream.
 *
 * A write counts if it was applied, a read if it was answered (also with "no such row"). An error is an answer that the
 * caller is not to blame for: a 5xx or 429 code. Callers' own mistakes are not counted.
 */
export class SecondWindow implements Telemetry {
  readonly #clock: Runtime['clock'];
  readonly #writeMs = new LogHistogram();
  readonly #readMs = new LogHistogram();
  readonly #lockWaitMs = new LogHistogram();
  #openedAtMs: number;
  #writes = 0;
  #reads = 0;
  #errors = 0;
  #lookups = 0;
  #hits = 0;
  #fencedWrites = 0;
  #intentsRecovered = 0;
  #fillsRefused = 0;
  #locksLost = 0;
  /** Writes since start, by policy, then outcome: `applied`, `unknown`, or the code that refused it. */
  readonly #totals = new Map<Policy, Map<string, number>>();

  constructor(clock: Runtime['clock']) {
    this.#clock = clock;
    this.#openedAtMs = clock.nowMs();
  }

  emit(event: TelemetryEvent): void {
    switch (event.type) {
      case 'write':
        return this.#write(event);
      case 'read':
        return this.#read(event);
      case 'lock-acquired':
        return this.#lockWaitMs.record(event.waitMs);
      case 'fill':
        if (event.result === 'refused') this.#fillsRefused++;
        return;
      case 'lock-lost':
        this.#locksLost++;
        return;
      case 'write-fenced':
        this.#fencedWrites++;
        return;
      case 'intent-recovered':
        this.#intentsRecovered++;
        return;
      default:
        return;
    }
  }

  /** Ends the running window, returns it, and starts the next. Its length is measured, not assumed. */
  close(): MetricsSecond {
    const nowMs = this.#clock.nowMs();
    const seconds = Math.max(0.001, (nowMs - this.#openedAtMs) / 1_000);
    const rate = (count: number): number => Math.round((count / seconds) * 100) / 100;
    const second: MetricsSecond = {
      writesPerSecond: rate(this.#writes),
      readsPerSecond: rate(this.#reads),
      errorsPerSecond: rate(this.#errors),
      lookupsPerSecond: rate(this.#lookups),
      hitRate: this.#lookups === 0 ? null : this.#hits / this.#lookups,
      writeP50Ms: this.#writeMs.quantile(0.5),
      writeP99Ms: this.#writeMs.quantile(0.99),
      readP50Ms: this.#readMs.quantile(0.5),
      readP99Ms: this.#readMs.quantile(0.99),
      lockWaitP99Ms: this.#lockWaitMs.quantile(0.99),
    };
    this.#openedAtMs = nowMs;
    this.#writes = this.#reads = this.#errors = this.#lookups = this.#hits = 0;
    for (const histogram of [this.#writeMs, this.#readMs, this.#lockWaitMs]) histogram.reset();
    return second;
  }

  /** Totals since start. */
  totals(): Totals {
    const writes: Totals['writes'] = [];
    for (const [policy, outcomes] of this.#totals) {
      for (const [outcome, count] of outcomes) writes.push({ policy, outcome, count });
    }
    return {
      writes,
      fencedWrites: this.#fencedWrites,
      intentsRecovered: this.#intentsRecovered,
      fillsRefused: this.#fillsRefused,
      locksLost: this.#locksLost,
    };
  }

  #write(event: Extract<TelemetryEvent, { type: 'write' }>): void {
    const { policy } = event.key.resource;
    const outcome = event.outcome === 'not_applied' ? (event.code ?? 'not_applied') : event.outcome;
    let outcomes = this.#totals.get(policy);
    if (outcomes === undefined) this.#totals.set(policy, (outcomes = new Map<string, number>()));
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (event.outcome === 'applied') {
      this.#writes++;
      this.#writeMs.record(event.totalMs);
    }
    if (isFailure(event.code)) this.#errors++;
  }

  #read(event: Extract<TelemetryEvent, { type: 'read' }>): void {
    if (isFailure(event.code)) {
      this.#errors++;
      return;
    }
    this.#reads++;
    this.#readMs.record(event.totalMs);
    if (event.source === null || !isServedFromCache(event.key.resource)) return;
    this.#lookups++;
    if (event.source === 'cache') this.#hits++;
  }
}

/** Whether the service is to blame (5xx, or 429: too much at once) rather than the request. */
function isFailure(code: ErrorCode | null): boolean {
  if (code === null) return false;
  const { status } = ERROR_CODES[code];
  return status >= 500 || status === 429;
}
