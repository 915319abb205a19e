import type { CacheOutcome } from '@lockstep/shared';
import type { EntryStore } from '../cache/port.ts';
import type { RowStore, RowWriteResult } from '../database/port.ts';
import type { Telemetry, WritePhases, WriteReceipt, WriteRequest } from '../domain/index.ts';
import type { LeasedTurns } from '../leases/port.ts';
import type { LockService } from '../locks/port.ts';
import type { AskedInvalidation } from '../outbox/port.ts';
import type { Runtime } from '../runtime/index.ts';
import type { WriterRecovery } from './port.ts';
import type { SecondDeleteDelay } from './second-delete-delay.ts';

/** What the outbox does for writers. */
export interface WriterOutbox {
  /** The cache step of these rows is done: they may go. Returns at once. */
  finished(outboxId: string): void;
  /** A cache step failed: the relay has work now. */
  wake(): void;
  /** Leaves invalidations to the relay, durably, when the cache does not answer. */
  append(items: readonly AskedInvalidation[]): Promise<void>;
}

/** The rows as writers use them. */
export type WriterRows = Pick<
  RowStore,
  'write' | 'writeTogether' | 'raiseFence' | 'recordRefusal' | 'findOutcome'
>;

/** All that the write engine is made of. */
export interface WriteParts {
  cache: EntryStore;
  rows: WriterRows;
  locks: Pick<LockService, 'acquire' | 'waitTimeoutMs'>;
  outbox: WriterOutbox;
  recovery: WriterRecovery;
  leases: LeasedTurns;
  secondDeleteDelay: SecondDeleteDelay;
  /** `strict.verifyIntent`: a strict write looks for its intent again before it commits. */
  verifyIntent?: boolean;
  telemetry: Telemetry;
  runtime: Runtime;
}

export type AppliedResult = Extract<RowWriteResult, { status: 'applied' }>;

/** What a policy's path answers: the receipt, and for telemetry where the time went (filled as it goes). */
export type PolicyWrite = (
  parts: WriteParts,
  request: WriteRequest,
  phases: WritePhases,
) => Promise<WriteReceipt>;

/** The receipt of a write that was applied just now. */
export function receiptOf(
  request: WriteRequest,
  applied: Pick<AppliedResult, 'created' | 'version' | 'row'>,
  rest: { cache: CacheOutcome; fence: number | null; waitMs: number; replayed?: boolean },
): WriteReceipt {
  return {
    key: request.key,
    created: applied.created,
    version: applied.version,
    value: applied.row,
    outcome: 'applied',
    policy: request.key.resource.policy,
    replayed: false,
    ...rest,
  };
}

/** Times one phase. */
export async function timed<T>(
  { runtime }: Pick<WriteParts, 'runtime'>,
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
