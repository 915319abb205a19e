/**
 * Removes from Lockstep's own tables what is kept for a time only: the outcomes of idempotency keys, after 24 h.
 *
 * Every coordinator tries each round; a lease in the database lets one through, and one round an interval. A round goes
 * on in small steps until nothing is left to remove, so that no step holds locks for long, and however much has piled up
 * (while nobody ran, or before there was any pruning) goes in the end: `STEP_ROWS` in `STEP_PAUSE_MS` and the
 * time of the statement (0.1 to 0.2 s on a busy machine), which is several times what 1,000 writes a second leave.
 *
 * States: stopped -> resting <-> a round. What a round removes counts no more when it is removed: a record that is older
 * than 24 h is answered to nobody.
 */
import type { RowStore } from '../database/port.ts';
import { type Telemetry, toLockstepError } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { claimLease, type LeaseStore, scheduleOf } from '../schedules/index.ts';

const JOB = 'prune:outcomes';
const TABLE = 'lockstep_idempotency';
const EVERY = { everyMs: 30_000 };
const RETRY_MS = 5_000;
const STEP_ROWS = 2_000;
const STEP_PAUSE_MS = 50;

export interface PruningOptions {
  rows: Pick<RowStore, 'pruneOutcomes'>;
  leases: LeaseStore;
  telemetry: Telemetry;
  runtime: Runtime;
}

export class Pruning {
  readonly #options: PruningOptions;
  #stopping = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: PruningOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#running !== null) return;
    this.#stopping = new AbortController();
    this.#running = this.#loop(this.#stopping.signal);
  }

  /** Resolves when the step under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#running = null;
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { clock, random, timers } = this.#options.runtime;
    const schedule = scheduleOf(EVERY);
    let delayMs = schedule.firstInMs(clock.wallMs(), random.next()) ?? EVERY.everyMs;
    while (!signal.aborted) {
      await timers.sleep(delayMs, signal);
      if (signal.aborted) return;
      delayMs = await this.#attempt(schedule.notSinceMs(clock.wallMs()), signal);
    }
  }

  /** Answers the time until the next attempt. Never rejects. */
  async #attempt(notSinceMs: number, signal: AbortSignal): Promise<number> {
    const { leases, runtime } = this.#options;
    try {
      const claim = await claimLease(leases, runtime, JOB, notSinceMs);
      if (claim.lease === null)
        return Math.min(EVERY.everyMs, Math.max(claim.retryInMs, STEP_PAUSE_MS));
      try {
        await this.#round(() => claim.lease.isHeld, signal);
      } finally {
        await claim.lease.release();
      }
      return EVERY.everyMs;
    } catch (error) {
      const { code, message } = toLockstepError(error);
      const level = code === 'DATABASE_UNAVAILABLE' ? 'debug' : 'warn';
      runtime.log[level]({ code, table: TABLE }, `old outcomes were not removed: ${message}`);
      return RETRY_MS;
    }
  }

  async #round(isHeld: () => boolean, signal: AbortSignal): Promise<void> {
    const { rows, telemetry, runtime } = this.#options;
    while (isHeld() && !signal.aborted) {
      const removed = await rows.pruneOutcomes(STEP_ROWS);
      if (removed > 0) telemetry.emit({ type: 'pruned', table: TABLE, rows: removed });
      if (removed < STEP_ROWS) return;
      await runtime.timers.sleep(STEP_PAUSE_MS, signal);
    }
  }
}
