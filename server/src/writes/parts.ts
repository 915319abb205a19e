import type { EntryStore } from '../cache/port.ts';
import type { RowStore, RowWrite, RowWriteResult } from '../database/port.ts';
import {
  type LogPosition,
  type Resource,
  type Telemetry,
  UNKNOWN_POSITION,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
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
  leases: LeasedLocks;
  secondDeleteDelay: SecondDeleteDelay;
  /** All resources as they are now, by name: of rows that foreign keys change. */
  resources: ReadonlyMap<string, Resource>;
  /** Where there are replicas: tombstones and receipts say which position covers the write. */
  log?: PrimaryLog;
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

/** What a write asks of the row, as the row store takes it. */
export const ifMatchOf = ({
  ifMatch,
  ifMatchTag,
}: Pick<WriteRequest, 'ifMatch' | 'ifMatchTag'>): Pick<RowWrite, 'ifMatch' | 'ifMatchTag'> => ({
  ...(ifMatch === undefined ? {} : { ifMatch }),
  ...(ifMatchTag === undefined ? {} : { ifMatchTag }),
});

/** The receipt of a write that was applied just now. */
export function receiptOf(
  request: WriteRequest,
  applied: Pick<AppliedResult, 'created' | 'version' | 'row'>,
  rest: Pick<WriteReceipt, 'cache' | 'fence' | 'waitMs' | 'position'> & { replayed?: boolean },
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

/**
 * Asked after the commit: a position that covers it. Null where it cannot be learnt, undefined where no replica needs it.
 */
export async function positionNow({
  log,
}: Pick<WriteParts, 'log'>): Promise<LogPosition | null | undefined> {
  return log === undefined ? undefined : log.current();
}

/** What a receipt says of it. */
export const positioned = (
  position: LogPosition | null | undefined,
): Pick<WriteReceipt, 'position'> =>
  position === undefined ? {} : { position: position ?? UNKNOWN_POSITION };

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
