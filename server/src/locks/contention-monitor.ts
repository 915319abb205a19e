/**
 * Which keys callers wait for, in fixed memory.
 *
 * It keeps two summaries, of the current period and of the one before. A report joins both, so it covers the last one
 * to two periods and forgets what is older.
 */
import type { ContentionEvent } from '@lockstep/shared';
import type { Key } from '../domain/index.ts';
import type { Clock } from '../runtime/index.ts';
import { DurationBuckets } from './duration-buckets.ts';
import { mergeCounters, SpaceSaving } from './space-saving.ts';

const PERIOD_MS = 120_000;
/** Keys monitored at a time; a key with more than 1/256 of all contended calls is always among them. */
const MONITORED_KEYS = 256;
const REPORTED_KEYS = 50;

/** What the live stream shows of contention, without the time. */
export type ContentionReport = Omit<ContentionEvent, 'atMs'>;

interface KeyTimes {
  key: Key;
  waits: DurationBuckets;
  holds: DurationBuckets;
}

export class ContentionMonitor {
  readonly #clock: Clock;
  readonly #totals = { acquired: 0, contended: 0, timedOut: 0, lost: 0, queueFull: 0 };
  #current = new SpaceSaving<KeyTimes>(MONITORED_KEYS);
  #previous = new SpaceSaving<KeyTimes>(MONITORED_KEYS);
  #periodEndsAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#periodEndsAtMs = clock.nowMs() + PERIOD_MS;
  }

  /** @param contended the caller had to wait for another caller, in this process or elsewhere */
  acquired(key: Key, waitMs: number, contended: boolean): void {
    this.#totals.acquired++;
    if (contended) {
      this.#totals.contended++;
      this.#hit(key).waits.record(waitMs);
    } else {
      this.#current.get(key.lockKey)?.data.waits.record(waitMs);
    }
  }

  /** A caller that did not get the lock because of other callers. */
  refused(key: Key, how: 'timedOut' | 'queueFull', waitMs: number): void {
    this.#totals[how]++;
    this.#hit(key).waits.record(waitMs);
  }

  released(key: Key, heldMs: number): void {
    this.#current.get(key.lockKey)?.data.holds.record(heldMs);
  }

  lost(key: Key, heldMs: number): void {
    this.#totals.lost++;
    this.released(key, heldMs);
  }

  /** The most contended keys of the last minutes, most contended first. */
  report(): ContentionReport {
    this.#rollPeriod();
    const merged = mergeCounters(this.#current, this.#previous, (current, previous) => ({
      key: current.key,
      waits: current.waits.plus(previous.waits),
      holds: current.holds.plus(previous.holds),
    }));
    const keys = merged.slice(0, REPORTED_KEYS).map(({ count, error, data }) => ({
      resource: data.key.resource.name,
      key: data.key.text,
      count,
      error,
      waitP99Ms: data.waits.quantile(0.99),
      holdP99Ms: data.holds.quantile(0.99),
    }));
    return { keys, totals: { ...this.#totals } };
  }

  #hit(key: Key): KeyTimes {
    this.#rollPeriod();
    return this.#current.hit(key.lockKey, () => ({
      key,
      waits: new DurationBuckets(),
      holds: new DurationBuckets(),
    })).data;
  }

  #rollPeriod(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#periodEndsAtMs) return;
    const isLongOver = nowMs >= this.#periodEndsAtMs + PERIOD_MS;
    this.#previous = isLongOver ? new SpaceSaving<KeyTimes>(MONITORED_KEYS) : this.#current;
    this.#current = new SpaceSaving<KeyTimes>(MONITORED_KEYS);
    this.#periodEndsAtMs = nowMs + PERIOD_MS;
  }
}
