/**
 * Removes from Lockstep's own tables what is kept for a limited time: the outcomes of idempotency keys and
 * the guards whose callers were not heard, after 24 h.
 *
 * One coordinator runs a round in each interval. A round removes rows in small steps until none is left to remove, so
 * that no step holds locks for long, and any number that has piled up goes in the end. It removes `STEP_ROWS` in
 * `STEP_PAUSE_MS` and the time of the statement (0.1 to 0.2 s on a busy machine): several times what 1,000 writes a
 * second leave.
 *
 * Removing late is harmless: a record older than 24 h is not used any more.
 */
import type { RowStore } from '../database/port.ts';
import type { GuardStore } from '../guards/port.ts';
import { type Telemetry, toLockstepError } from '../domain/index.ts';
import { type Leadership, ScheduledJob } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';

const JOB = 'prune:outcomes';
const EVERY = { everyMs: 30_000 };
const STEP_ROWS = 2_000;
const STEP_PAUSE_MS = 50;

export interface PruningOptions {
  rows: Pick<RowStore, 'pruneOutcomes'>;
  guards: Pick<GuardStore, 'prune'>;
  leadership: Leadership;
  telemetry: Telemetry;
  runtime: Runtime;
}

/** The job; a stop ends it after the step in flight. */
export function createPruning(options: PruningOptions): ScheduledJob {
  const { rows, guards, leadership, telemetry, runtime } = options;
  const tables = [
    { table: 'lockstep_idempotency', prune: () => rows.pruneOutcomes(STEP_ROWS) },
    { table: 'lockstep_guards', prune: () => guards.prune(STEP_ROWS) },
  ];
  return new ScheduledJob({
    job: JOB,
    when: EVERY,
    run: async (term, signal) => {
      for (const { table, prune } of tables) {
        let removed = STEP_ROWS;
        while (removed === STEP_ROWS && term.isLeading && !signal.aborted) {
          removed = await prune();
          if (removed > 0) telemetry.emit({ type: 'pruned', table, rows: removed });
          if (removed === STEP_ROWS) await runtime.timers.sleep(STEP_PAUSE_MS, signal);
        }
      }
    },
    onFailure: (error) => {
      const { code, message } = toLockstepError(error);
      const level = code === 'DATABASE_UNAVAILABLE' ? 'debug' : 'warn';
      runtime.log[level]({ code }, `old rows were not removed: ${message}`);
    },
    ...{ leadership, runtime },
  });
}
