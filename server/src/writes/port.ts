import type { CacheOutcome } from '@lockstep/shared';
import type {
  Key,
  NewKeys,
  NewKeysRequest,
  SetReceipt,
  SetRequest,
  TransactionRequest,
  WriteReceipt,
  WriteRequest,
} from '../domain/index.ts';

export interface WriteService {
  /** @throws LockstepError with a true `outcome`; see the table of codes */
  write(request: WriteRequest): Promise<WriteReceipt>;
  /**
   * The keys of rows that are to be inserted. Nothing is written: a row is inserted by a put that only creates, with
   * `isNewKey` unless the keys are repeated.
   * @throws LockstepError `INVALID` with the column if the database makes no key, those of a refused write, and
   * `IDEMPOTENCY_KEY_REUSED`
   */
  newKeys(request: NewKeysRequest): Promise<NewKeys>;
  /**
   * All or nothing; receipts in the order of the writes.
   * @throws LockstepError with a true `outcome`; `details.operation` names the write that it is about
   */
  transact(request: TransactionRequest): Promise<WriteReceipt[]>;
  /**
   * Changes the rows that match, all or none of them.
   * @throws LockstepError as `transact`, with the row's key in the message; `TOO_LARGE` where more rows match than the bound
   */
  writeSet(request: SetRequest): Promise<SetReceipt>;
  /** For callers that changed the database themselves: after it, nothing that was cached before it is served. */
  invalidate(keys: readonly Key[], cacheKeys: readonly string[]): Promise<CacheOutcome[]>;
}

export interface RecoveryService {
  /**
   * Resolves an abandoned intent, or repairs a strict key, under its lock: raises the fence, reads the row, and publishes
   * the value, or a tombstone if `leave` says so.
   */
  recover(
    key: Key,
    by: 'reader' | 'sweeper' | 'audit' | 'writer',
    leave?: 'value' | 'tombstone',
  ): Promise<{ version: number }>;
}

export interface WriterRecovery {
  /** Tries once, in the background, to resolve the intents of a failed write or lease. If it fails, the sweeper does. */
  recoverSoon(key: Key): void;
}
