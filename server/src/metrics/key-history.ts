import type { KeyEvent } from '@lockstep/shared';
import {
  describeEvent,
  type KeyedEvent,
  type Telemetry,
  type TelemetryEvent,
} from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';

/**
 * The last events of the keys touched last, for the page of one key.
 *
 * Bounds: MAX_KEYS keys (the key that was written longest ago is removed first), EVENTS_PER_KEY events each. Events are
 * put into words only when somebody asks. Consecutive reads from the same source are one record with a count, so that
 * they do not push out a key's writes. Once there are MAX_KEYS keys, only every READ_STRIDE-th read of a new key starts
 * a history: many keys read once each would push the others out, and cost the most.
 */
const MAX_KEYS = 2_000;
const EVENTS_PER_KEY = 20;
const READ_STRIDE = 8;

interface Recorded {
  atMs: number;
  event: KeyedEvent;
  /** How many reads this one stands for. */
  count: number;
}

export class KeyHistory implements Telemetry {
  readonly #clock: Runtime['clock'];
  readonly #instance: string;
  /** By the key's lock name, which is unique over all resources; in order of the last event other than a read. */
  readonly #keys = new Map<string, Recorded[]>();
  #readsPassed = 0;

  constructor(clock: Runtime['clock'], instance: string) {
    this.#clock = clock;
    this.#instance = instance;
  }

  emit(event: TelemetryEvent): void {
    if (!isKeyed(event) || isNoise(event)) return;
    const recorded = this.#recordsFor(event);
    if (recorded === null) return;
    const atMs = this.#clock.wallMs();
    const last = recorded.at(-1);
    if (last !== undefined && isSameRead(last.event, event)) {
      last.count++;
      last.atMs = atMs;
      return;
    }
    recorded.push({ atMs, event, count: 1 });
    if (recorded.length > EVENTS_PER_KEY) recorded.shift();
  }

  /** Events of one key, newest first. */
  of(key: { lockKey: string }): KeyEvent[] {
    const recorded = this.#keys.get(key.lockKey) ?? [];
    return recorded
      .map(({ atMs, event, count }) => ({
        atMs,
        instance: this.#instance,
        ...describeEvent(event, count),
      }))
      .reverse();
  }

  /** The key's records; an event other than a read makes the key the last to be removed. Null if this read starts no history. */
  #recordsFor(event: KeyedEvent): Recorded[] | null {
    const name = event.key.lockKey;
    const isRead = event.type === 'read';
    const known = this.#keys.get(name);
    if (known !== undefined) {
      if (isRead) return known;
      this.#keys.delete(name);
      this.#keys.set(name, known);
      return known;
    }
    if (this.#keys.size >= MAX_KEYS) {
      if (isRead && ++this.#readsPassed % READ_STRIDE !== 0) return null;
      const oldest = this.#keys.keys().next();
      if (oldest.done !== true) this.#keys.delete(oldest.value);
    }
    const fresh: Recorded[] = [];
    this.#keys.set(name, fresh);
    return fresh;
  }
}

const isKeyed = (event: TelemetryEvent): event is KeyedEvent =>
  'key' in event && typeof event.key !== 'string';

/** Events that add nothing to the write or read that they are part of. */
function isNoise(event: TelemetryEvent): boolean {
  if (event.type === 'lock-acquired') return !event.contended;
  return event.type === 'lock-released' || (event.type === 'fill' && event.result === 'filled');
}

function isSameRead(before: TelemetryEvent, event: TelemetryEvent): boolean {
  return (
    before.type === 'read' &&
    event.type === 'read' &&
    before.source === event.source &&
    before.code === event.code
  );
}
