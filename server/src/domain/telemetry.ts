import type { CacheOutcome, DriftClass, ErrorCode, Outcome, ReadSource } from '@lockstep/shared';
import type { Key, Resource } from './resource.ts';

/** Where the time of one write went, in ms; a phase that was not reached is absent. */
export interface WritePhases {
  queueMs?: number;
  lockMs?: number;
  intentMs?: number;
  transactionMs?: number;
  publishMs?: number;
}

/**
 * Who invalidated an entry. `transaction`: another program in its own transaction, by `lockstep_invalidate` or by a
 * capture trigger.
 */
export type InvalidatedBy = 'api' | 'audit' | 'outbox' | 'transaction';

/**
 * What happens to a guard: it is taken, and then ends in one of the other ways. `lost`: it ran out, or what its caller
 * told is not what the database says.
 */
export type GuardStep = 'taken' | 'committed' | 'rolled_back' | 'lost';

/** Everything that the engine reports about itself. Capabilities emit these; metrics, the live stream and key histories consume them. */
export type TelemetryEvent =
  | {
      type: 'write';
      key: Key;
      op: 'put' | 'patch' | 'delete';
      outcome: Outcome;
      /** The error's code where the write was not acknowledged. */
      code: ErrorCode | null;
      cache: CacheOutcome;
      version: number | null;
      fence: number | null;
      replayed: boolean;
      phases: WritePhases;
      totalMs: number;
    }
  | { type: 'read'; key: Key; source: ReadSource | null; code: ErrorCode | null; totalMs: number }
  /** A read's attempt to fill the cache; `refused`: its lease was gone or its version too low. */
  | { type: 'fill'; key: Key; result: 'filled' | 'refused' | 'failed' }
  /** A read found text that is not an entry. */
  | { type: 'corrupt-entry'; key: Key }
  /** A read that a replica might have answered. `behind`: no replica has reached what is needed. */
  | { type: 'replica-asked'; resource: Resource; result: 'read' | 'behind' | 'failed' }
  | { type: 'lock-acquired'; key: Key; waitMs: number; attempts: number; contended: boolean }
  | { type: 'lock-released'; key: Key; heldMs: number }
  /** A held lock was lost. `lost`: the nodes said so. `expired`: its time ran out. */
  | { type: 'lock-lost'; key: Key; how: 'lost' | 'expired'; heldMs: number }
  | { type: 'lock-failed'; key: Key; code: ErrorCode; waitMs: number; attempts: number }
  | { type: 'write-fenced'; key: Key; fence: number; storedFence: number }
  /** `strict.verifyIntent`: the cache had lost the intent before the commit, and the write was rolled back. */
  | { type: 'intent-lost'; key: Key; fence: number }
  | {
      type: 'intent-recovered';
      key: Key;
      by: 'reader' | 'sweeper' | 'audit' | 'writer';
      version: number;
    }
  | { type: 'invalidated'; key: Key; by: InvalidatedBy; version: number | null }
  /**
   * A batch of the change log is done. `bypassed`: by table, changed rows that no write through Lockstep accounts for.
   */
  | {
      type: 'changes-followed';
      changes: number;
      invalidations: number;
      bypassed: ReadonlyMap<string, number>;
      lagMs: number;
    }
  | { type: 'outbox-relayed'; count: number; delayMs: number }
  /** Calls of `lockstep_invalidate` whose cache steps are done. `delayMs`: since the oldest of these calls. */
  | { type: 'calls-carried-out'; count: number; delayMs: number }
  /** Rows that capture triggers noted were invalidated: before and after of one row count once where they are the same. */
  | { type: 'changes-captured'; resource: Resource; count: number }
  | { type: 'outbox-dead-lettered'; resource: string; key: string; error: string }
  /** All entries were swept, because the cache is another server than before. */
  | { type: 'cache-failed-over' }
  /** A guard was taken, or ended; see `GuardStep`. */
  | { type: 'guard'; step: GuardStep }
  /** Old rows of one of Lockstep's own tables were removed. */
  | { type: 'pruned'; table: string; rows: number }
  | { type: 'audit-sampled'; resource: Resource; count: number; drift: number }
  | { type: 'drift-found'; key: Key; class: DriftClass }
  | { type: 'drift-repaired'; key: Key; class: DriftClass; ok: boolean };

/** Receives telemetry. Implementations are fast and never throw. */
export interface Telemetry {
  emit(event: TelemetryEvent): void;
}
