/**
 * The outbox relay: does the cache step of committed writes whose own writer could not.
 *
 * States: stopped <-> running, one pass at a time:
 *   busy      a pass took a full batch: the next one follows at once
 *   idle      a pass took fewer rows, all that were due: the next one follows after IDLE_MS, or at once after `wake`. A
 *             pass reads all rows that wait for their time (second deletes), so it must not run for a few rows each
 *   blocked   the cache or the database is away: looks again after a short backoff; no row becomes a dead letter for that
 *
 * Invariants
 *   - a row leaves the outbox only as `done` (each of its cache keys was invalidated) or as a dead letter
 *   - a failure of the cache as a whole never counts as an attempt
 *   - a row that this coordinator's configuration does not explain is left to the others for a while: during a change of
 *     the configuration they may know its resource
 *   - a crash at any point only repeats tombstones, which is harmless
 */
import type { OutboxEvent } from '@lockstep/shared';
import type { EntryStore } from '../cache/port.ts';
import { LockstepError, type Telemetry } from '../domain/index.ts';
import { BackgroundLoop, type BackoffOptions } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { judgeDelivery, planDelivery } from './delivery.ts';
import { invalidateAll } from './invalidate-all.ts';
import type { KnownResources, OutboxRow, OutboxStore, OutboxDecision } from './port.ts';

/** Rows in one pass; they stay locked in the database until their cache steps are answered. */
const BATCH_ROWS = 500;
const IDLE_MS = 400;
const BLOCKED_BACKOFF: BackoffOptions = { minMs: 100, maxMs: 1_000, jitter: 'equal' };
/** Pause after each pass that is not busy, so that a burst of failing writers cannot spin the relay. */
const LEAST_PAUSE_MS = 10;
/** Age that a row must have before the relay takes it: until then its own writer is expected to finish it. */
const DEFAULT_GRACE_MS = 1_000;
/** How long the depth of the outbox is not read again. */
const DEPTH_FRESH_MS = 500;

const CACHE_AWAY = 'the cache does not answer; rows wait and are relayed when it is back';
const DATABASE_AWAY = 'the database does not answer';

export interface OutboxRelayOptions extends KnownResources {
  store: Pick<OutboxStore, 'take' | 'depth'>;
  entries: Pick<EntryStore, 'invalidateMany' | 'available'>;
  telemetry: Telemetry;
  runtime: Runtime;
  /** Rows younger than this are left to their writer. Default 1 s. */
  graceMs?: number;
}

/** What operators see of the outbox; `relayedTotal` counts this process since its start. */
type OutboxStatus = Omit<OutboxEvent, 'atMs'>;

/** Ends a pass that found the cache away. */
class Blocked extends Error {}

/** Does nothing until `start`. */
export class OutboxRelay {
  readonly #options: OutboxRelayOptions;
  readonly #loop: BackgroundLoop;
  /** A writer asked for a pass that takes young rows too. */
  #takesYoung = false;
  #blocked: string | null = null;
  #relayedTotal = 0;
  #depth = { depth: 0, oldestMs: null as number | null, deadLetters: 0 };
  #depthReadAtMs = -Infinity;
  #depthReading: Promise<void> | null = null;
  #depthFault: string | null = null;

  constructor(options: OutboxRelayOptions) {
    this.#options = options;
    this.#loop = new BackgroundLoop({
      pass: async () => {
        const taken = await this.#pass();
        this.#unblock();
        return taken < BATCH_ROWS ? IDLE_MS : 0;
      },
      leastPauseMs: LEAST_PAUSE_MS,
      backoff: BLOCKED_BACKOFF,
      onFailure: (error) => this.#block(error),
      runtime: options.runtime,
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** Resolves when the pass in flight has ended. */
  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** A writer could not finish its cache step: looks at once, at young rows too. */
  wake(): void {
    this.#takesYoung = true;
    this.#loop.wake();
  }

  /** Never rejects: while the database is away it repeats what it read last and says so in `blocked`. */
  async status(): Promise<OutboxStatus> {
    const { clock } = this.#options.runtime;
    if (clock.nowMs() - this.#depthReadAtMs > DEPTH_FRESH_MS) {
      this.#depthReading ??= this.#readDepth().finally(() => (this.#depthReading = null));
      await this.#depthReading;
    }
    const blocked = this.#blocked ?? this.#depthFault;
    return { ...this.#depth, relayedTotal: this.#relayedTotal, blocked };
  }

  async #readDepth(): Promise<void> {
    const { store, runtime } = this.#options;
    try {
      this.#depth = await store.depth();
      this.#depthFault = null;
    } catch (error) {
      runtime.log.debug({ err: error }, 'could not read the depth of the outbox');
      this.#depthFault = DATABASE_AWAY;
    }
    this.#depthReadAtMs = runtime.clock.nowMs();
  }

  /** Returns how many rows it took. @throws where the cache or the database is away */
  async #pass(): Promise<number> {
    const { store, entries, telemetry, graceMs: leastAgeMs = DEFAULT_GRACE_MS } = this.#options;
    if (!entries.available) throw new Blocked(CACHE_AWAY);
    const graceMs = this.#takesYoung ? 0 : leastAgeMs;
    this.#takesYoung = false;
    let relayed = 0;
    let delayMs = 0;
    let isAway = false;
    const taken = await store.take(BATCH_ROWS, graceMs, async (rows) => {
      const decisions = await this.#deliver(rows);
      const done = new Set(decisions.filter((d) => d.decision === 'done').map((d) => d.id));
      relayed = done.size;
      delayMs = Math.max(0, ...rows.filter((row) => done.has(row.id)).map((row) => row.ageMs));
      isAway = decisions.some((d) => d.decision === 'retry' && !d.counted);
      return decisions;
    });
    if (relayed > 0) {
      this.#relayedTotal += relayed;
      this.#depthReadAtMs = -Infinity;
      telemetry.emit({ type: 'outbox-relayed', count: relayed, delayMs });
    }
    if (isAway) throw new Blocked(CACHE_AWAY);
    return taken;
  }

  async #deliver(rows: readonly OutboxRow[]): Promise<OutboxDecision[]> {
    const { telemetry, runtime } = this.#options;
    const plan = planDelivery(rows, this.#options);
    const results = await invalidateAll(this.#options.entries, plan.invalidations);
    const decisions = judgeDelivery(plan, results, () => runtime.random.next());
    const byId = new Map(rows.map((row) => [row.id, row]));
    for (const decided of decisions) {
      const row = byId.get(decided.id);
      if (decided.decision === 'dead' && row !== undefined) this.#reportDead(row, decided.error);
    }
    for (const { key, row } of plan.rows) {
      if (key === null || results.get(key.cacheKey) !== 'invalidated') continue;
      telemetry.emit({ type: 'invalidated', key, by: 'outbox', version: row.version });
    }
    return decisions;
  }

  #reportDead(row: OutboxRow, error: string): void {
    const { telemetry, runtime } = this.#options;
    const { resource, keyText: key } = row;
    runtime.log.error({ resource, key, error }, 'an outbox row became a dead letter');
    telemetry.emit({ type: 'outbox-dead-lettered', resource, key, error });
  }

  #block(error: unknown): void {
    const reason = reasonOf(error);
    if (this.#blocked === null) {
      const fields = error instanceof Blocked ? { reason } : { reason, err: error };
      this.#options.runtime.log.warn(fields, 'the outbox relay waits');
    }
    this.#blocked = reason;
  }

  #unblock(): void {
    if (this.#blocked !== null) this.#options.runtime.log.info({}, 'the outbox relay works again');
    this.#blocked = null;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Blocked) return error.message;
  if (error instanceof LockstepError && error.code === 'DATABASE_UNAVAILABLE') return DATABASE_AWAY;
  return `a pass of the relay failed: ${String(error)}`;
}
