import type { EntryStore } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import type {
  Key,
  Resource,
  Telemetry,
  WritePhases,
  WriteReceipt,
  WriteRequest,
} from '../domain/index.ts';
import type { LeasedLocks } from '../leases/port.ts';
import type { LockService } from '../locks/port.ts';
import type { AskedInvalidation } from '../outbox/port.ts';
import type { PrimaryLog } from '../replicas/port.ts';
import type { Runtime } from '../runtime/index.ts';
import type { WriterRecovery } from './port.ts';
import type { SecondDeleteDelay } from './second-delete-delay.ts';

/** What the outbox does for writers. */
export interface WriterOutbox {
  /** The cache step of this row succeeded, so the row may be removed. Returns at once. */
  finished(outboxId: string): void;
  /** A cache step failed: the relay has work now. */
  wake(): void;
  /**
   * Does what writes of the row, from this version on, have left to do in the cache.
   * @returns whether nothing is left now
   */
  doLeftSteps(key: Key, fromVersion: number): Promise<boolean>;
  /** Stores invalidations for the relay, when the cache does not answer. */
  append(items: readonly AskedInvalidation[]): Promise<void>;
}

/** The methods of `RowStore` that writers call. */
export type WriterRows = Pick<
  RowStore,
  | 'write'
  | 'writeInOrder'
  | 'writeTogether'
  | 'raiseFence'
  | 'recordRefusal'
  | 'findOutcome'
  | 'makeKey'
  | 'findKeys'
>;

export interface WriteServiceOptions {
  cache: EntryStore;
  rows: WriterRows;
  locks: Pick<LockService, 'acquire' | 'acquireOrFollow' | 'waitTimeoutMs'>;
  outbox: WriterOutbox;
  recovery: WriterRecovery;
  leases: LeasedLocks;
  secondDeleteDelay: SecondDeleteDelay;
  /** Every resource by name, as configured now. Needed for rows that foreign keys change. */
  resources: ReadonlyMap<string, Resource>;
  /** Set where reads go to replicas: tombstones and receipts then carry the log position that covers the write. */
  log?: PrimaryLog;
  /** `strict.verifyIntent`: a strict write checks that its intent still stands before it commits. */
  verifyIntent?: boolean;
  telemetry: Telemetry;
  runtime: Runtime;
}

/**
 * One way to carry out a write: see `STRATEGIES` in `write-service.ts`.
 * @param phases where the time went; filled in as the write proceeds
 */
export type PolicyWrite = (
  options: WriteServiceOptions,
  request: WriteRequest,
  phases: WritePhases,
) => Promise<WriteReceipt>;

/** Runs one phase of a write and adds its duration to `phases`. */
export async function timed<T>(
  { runtime }: Pick<WriteServiceOptions, 'runtime'>,
  phases: WritePhases,
  phase: keyof WritePhases,
  run: () => Promise<T>,
): Promise<T> {
  const startMs = runtime.clock.nowMs();
  try {
    return await run();
  } finally {
    phases[phase] = (phases[phase] ?? 0) + runtime.clock.nowMs() - startMs;
  }
}
