/**
 * Which keys are read and written most, by resource, in fixed memory: what audits look at first.
 *
 * Each resource has two Space-Saving summaries, of the running period and of the one before, so that keys that were hot
 * long ago are forgotten. Only every STRIDE-th operation is counted: this does not change the order of keys that are used
 * often enough to matter, and an operation costs a few nanoseconds.
 */
import type { Key, Resource, Telemetry, TelemetryEvent } from '../domain/index.ts';
import { mergeCounters, SpaceSaving } from '../locks/space-saving.ts';
import type { Runtime } from '../runtime/index.ts';

const PERIOD_MS = 120_000;
const MONITORED_KEYS = 256;
/** A prime, so that it does not fall in step with callers that repeat a short pattern. */
const STRIDE = 5;

export class HotKeys implements Telemetry {
  readonly #clock: Runtime['clock'];
  #current = new Map<string, SpaceSaving<Key>>();
  #previous = new Map<string, SpaceSaving<Key>>();
  #periodEndsAtMs: number;
  #untilNext = STRIDE;

  constructor(clock: Runtime['clock']) {
    this.#clock = clock;
    this.#periodEndsAtMs = clock.nowMs() + PERIOD_MS;
  }

  emit(event: TelemetryEvent): void {
    if (event.type !== 'read' && event.type !== 'write') return;
    if (--this.#untilNext > 0) return;
    this.#untilNext = STRIDE;
    this.#startPeriodIfDue();
    const { key } = event;
    const { name } = key.resource;
    let keys = this.#current.get(name);
    if (keys === undefined) {
      keys = new SpaceSaving<Key>(MONITORED_KEYS);
      this.#current.set(name, keys);
    }
    keys.hit(key.text, () => key);
  }

  /** At most `count` keys of the resource, hottest first. */
  top(resource: Resource, count: number): Key[] {
    this.#startPeriodIfDue();
    const none = new SpaceSaving<Key>(MONITORED_KEYS);
    const merged = mergeCounters(
      this.#current.get(resource.name) ?? none,
      this.#previous.get(resource.name) ?? none,
      (key) => key,
    );
    return merged.slice(0, count).map(({ data }) => data);
  }

  #startPeriodIfDue(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#periodEndsAtMs) return;
    const isLongOver = nowMs >= this.#periodEndsAtMs + PERIOD_MS;
    this.#previous = isLongOver ? new Map<string, SpaceSaving<Key>>() : this.#current;
    this.#current = new Map<string, SpaceSaving<Key>>();
    this.#periodEndsAtMs = nowMs + PERIOD_MS;
  }
}
