/**
 * The outbox relay: finishes the cache step of committed writes whose writer could not.
 *
 * States: stopped -> running (start) -> stopped (stop). While running, one pass at a time:
 *   busy      a pass took a full batch: the next one follows at once
 *   idle      a pass took fewer, all that were due: the next one after IDLE_MS, or at once after `wake`. Each pass goes
 *             over all rows that wait for their time (second deletes), and must not do so for a few rows each
 *   blocked   cache or database away: looks again after a short, jittered wait; nothing is dead-lettered for that
 *
 * Invariants
 *   - a row leaves the outbox only as `done` (each of its cache keys was invalidated) or as a dead letter
 *   - a failure of the cache as a whole never counts as an attempt
 *   - a crash anywhere only repeats tombstones, and repeating one is harmless
 */
import type { OutboxEvent } from '@lockstep/shared';
import type { EntryStore } from '../cache/port.ts';
import { LockstepError, type Resource, type Telemetry } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import {
  isAway,
  judgeDelivery,
  planDelivery,
  type Invalidation,
  type InvalidationResult,
} from './delivery.ts';
import type { OutboxRow, OutboxStore, OutboxVerdict } from './port.ts';

/** Rows in one pass; they stay locked in the database until their cache steps are answered. */
const BATCH_ROWS = 500;
/** Cache keys in one round trip. */
const BATCH_CACHE_KEYS = 1_000;
const IDLE_MS = 400;
const BLOCKED_MIN_MS = 100;
const BLOCKED_MAX_MS = 1_000;
/** Least pause after a pass that was woken, so that a burst of failing writers cannot spin the relay. */
const WAKE_PAUSE_MS = 10;
/** Age that a row must have before the relay takes it: until then its own writer is expected to finish it. */
const DEFAULT_GRACE_MS = 1_000;
/** For how long a reading of the outbox's depth is served again. */
const DEPTH_FRESH_MS = 500;

const CACHE_AWAY = 'the cache does not answer; rows wait and are relayed when it is back';
const DATABASE_AWAY = 'the database does not answer';

export interface OutboxRelayOptions {
  store: Pick<OutboxStore, 'take' | 'depth'>;
  entries: Pick<EntryStore, 'invalidateMany' | 'available'>;
  resources: ReadonlyMap<string, Resource>;
  telemetry: Telemetry;
  runtime: Runtime;
  /** Rows younger than this are left to their writer. Default 1 s. */
  graceMs?: number;
}

/** What operators see of the outbox; `relayedTotal` counts this process since its start. */
type OutboxStatus = Omit<OutboxEvent, 'atMs'>;

export interface OutboxRelay {
  start(): void;
  /** Resolves when the pass under way has ended. */
  stop(): Promise<void>;
  /** A writer could not finish its cache step: looks at once, at young rows too. */
  wake(): void;
  /** Never rejects: while the database is away it repeats the last reading and says so in `blocked`. */
  status(): Promise<OutboxStatus>;
}

/** Creates the relay; it does nothing until `start`. */
export function createOutboxRelay(options: OutboxRelayOptions): OutboxRelay {
  return new Relay(options);
}

type PassResult = 'busy' | 'idle' | 'blocked';

class Relay implements OutboxRelay {
  readonly #store: OutboxRelayOptions['store'];
  readonly #entries: OutboxRelayOptions['entries'];
  readonly #resources: ReadonlyMap<string, Resource>;
  readonly #telemetry: Telemetry;
  readonly #runtime: Runtime;
  readonly #graceMs: number;

  #stopping = new AbortController();
  #nap = new AbortController();
  #running: Promise<void> | null = null;
  #woken = false;
  #blocked: string | null = null;
  #failures = 0;
  #relayedTotal = 0;
  #depth = { depth: 0, oldestMs: null as number | null, deadLetters: 0 };
  #depthReadAtMs = -Infinity;
  #depthReading: Promise<void> | null = null;
  #depthFault: string | null = null;

  constructor(options: OutboxRelayOptions) {
    this.#store = options.store;
    this.#entries = options.entries;
    this.#resources = options.resources;
    this.#telemetry = options.telemetry;
    this.#runtime = options.runtime;
    this.#graceMs = options.graceMs ?? DEFAULT_GRACE_MS;
  }

  start(): void {
    if (this.#running !== null) return;
    this.#stopping = new AbortController();
    this.#running = this.#loop(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#nap.abort();
    await this.#running;
    this.#running = null;
  }

  wake(): void {
    this.#woken = true;
    // While blocked there is nothing to hurry for, and each failing writer would cut the wait short.
    if (this.#blocked === null) this.#nap.abort();
  }

  async status(): Promise<OutboxStatus> {
    const { clock } = this.#runtime;
    if (clock.nowMs() - this.#depthReadAtMs > DEPTH_FRESH_MS) {
      this.#depthReading ??= this.#readDepth().finally(() => (this.#depthReading = null));
      await this.#depthReading;
    }
    const blocked = this.#blocked ?? this.#depthFault;
    return { ...this.#depth, relayedTotal: this.#relayedTotal, blocked };
  }

  async #readDepth(): Promise<void> {
    try {
      this.#depth = await this.#store.depth();
      this.#depthFault = null;
    } catch (error) {
      this.#runtime.log.debug({ err: error }, 'could not read the depth of the outbox');
      this.#depthFault = DATABASE_AWAY;
    }
    this.#depthReadAtMs = this.#runtime.clock.nowMs();
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const wasWoken = this.#woken;
      const result = await this.#guardedPass();
      if (signal.aborted) return;
      await this.#pause(result, wasWoken);
    }
  }

  async #pause(result: PassResult, wasWoken: boolean): Promise<void> {
    const { timers, random } = this.#runtime;
    this.#nap = new AbortController();
    if (this.#stopping.signal.aborted) return;
    if (result === 'blocked') {
      const boundMs = Math.min(BLOCKED_MAX_MS, BLOCKED_MIN_MS * 2 ** this.#failures);
      this.#failures = Math.min(this.#failures + 1, 10);
      await timers.sleep(boundMs / 2 + (random.next() * boundMs) / 2, this.#stopping.signal);
      return;
    }
    this.#failures = 0;
    if (result === 'busy') return;
    if (wasWoken || this.#woken) await timers.sleep(WAKE_PAUSE_MS, this.#stopping.signal);
    if (!this.#woken) await timers.sleep(IDLE_MS, this.#nap.signal);
  }

  async #guardedPass(): Promise<PassResult> {
    try {
      const result = await this.#pass();
      if (result !== 'blocked') this.#unblock();
      return result;
    } catch (error) {
      this.#block(reasonOf(error), error);
      return 'blocked';
    }
  }

  async #pass(): Promise<PassResult> {
    if (!this.#entries.available) {
      this.#block(CACHE_AWAY, null);
      return 'blocked';
    }
    const graceMs = this.#woken ? 0 : this.#graceMs;
    this.#woken = false;
    let relayed = 0;
    let delayMs = 0;
    let away = false;
    const taken = await this.#store.take(BATCH_ROWS, graceMs, async (rows) => {
      const verdicts = await this.#deliver(rows);
      const done = new Set(verdicts.filter((v) => v.verdict === 'done').map((v) => v.id));
      relayed = done.size;
      delayMs = Math.max(0, ...rows.filter((row) => done.has(row.id)).map((row) => row.ageMs));
      away = verdicts.some((v) => v.verdict === 'retry' && !v.counted);
      return verdicts;
    });
    if (relayed > 0) {
      this.#relayedTotal += relayed;
      this.#depthReadAtMs = -Infinity;
      this.#telemetry.emit({ type: 'outbox-relayed', count: relayed, delayMs });
    }
    if (away) {
      this.#block(CACHE_AWAY, null);
      return 'blocked';
    }
    return taken < BATCH_ROWS ? 'idle' : 'busy';
  }

  async #deliver(rows: readonly OutboxRow[]): Promise<OutboxVerdict[]> {
    const plan = planDelivery(rows, this.#resources);
    const results = await this.#invalidate(plan.invalidations);
    const verdicts = judgeDelivery(plan, results, () => this.#runtime.random.next());
    const byId = new Map(rows.map((row) => [row.id, row]));
    for (const verdict of verdicts) {
      const row = byId.get(verdict.id);
      if (verdict.verdict === 'dead' && row !== undefined) this.#reportDead(row, verdict.error);
    }
    for (const { key, row } of plan.rows) {
      if (key === null || results.get(key.cacheKey) !== 'invalidated') continue;
      this.#telemetry.emit({ type: 'invalidated', key, by: 'outbox', version: row.version });
    }
    return verdicts;
  }

  /** Results by cache key. Stops at the first round trip that finds the cache away: what is missing counts as away. */
  async #invalidate(
    invalidations: readonly Invalidation[],
  ): Promise<Map<string, InvalidationResult>> {
    const results = new Map<string, InvalidationResult>();
    for (let at = 0; at < invalidations.length; at += BATCH_CACHE_KEYS) {
      const chunk = invalidations.slice(at, at + BATCH_CACHE_KEYS);
      try {
        const answers = await this.#entries.invalidateMany(chunk);
        for (const [index, { cacheKey }] of chunk.entries()) {
          const answer = answers[index];
          if (answer !== undefined) results.set(cacheKey, answer);
        }
      } catch (error) {
        if (!isAway(error)) throw error;
        return results;
      }
    }
    return results;
  }

  #reportDead(row: OutboxRow, error: string): void {
    const { resource, keyText: key } = row;
    this.#runtime.log.error({ resource, key, error }, 'an outbox row became a dead letter');
    this.#telemetry.emit({ type: 'outbox-dead-lettered', resource, key, error });
  }

  #block(reason: string, error: unknown): void {
    if (this.#blocked === null) {
      this.#runtime.log.warn(
        error === null ? { reason } : { reason, err: error },
        'the outbox relay waits',
      );
    }
    this.#blocked = reason;
  }

  #unblock(): void {
    if (this.#blocked !== null) this.#runtime.log.info({}, 'the outbox relay works again');
    this.#blocked = null;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof LockstepError && error.code === 'DATABASE_UNAVAILABLE') return DATABASE_AWAY;
  return `a pass of the relay failed: ${String(error)}`;
}
