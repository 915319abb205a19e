import type { CacheOutcome } from '@lockstep/shared';
import type { Key, TransactionRequest, WriteReceipt, WriteRequest } from '../domain/index.ts';

export interface WriteService {
  /** @throws LockstepError with a true `outcome`; see the table of codes */
  write(request: WriteRequest): Promise<WriteReceipt>;
  /**
   * All or nothing; receipts in the order of the writes.
   * @throws LockstepError with a true `outcome`; `details.operation` names the write that it is about
   */
  transact(request: TransactionRequest): Promise<WriteReceipt[]>;
  /** For callers that changed the database themselves: nothing cached before this call is served after it. */
  invalidate(keys: readonly Key[], cacheKeys: readonly string[]): Promise<CacheOutcome[]>;
}

export interface RecoveryService {
  /**
   * Resolves an abandoned intent, or repairs a strict key, under its lock: fence raised, row read, value published
   * (or a tombstone where `leave` is `tombstone`). A strict write that changes nothing.
   */
  recover(
    key: Key,
    by: 'reader' | 'sweeper' | 'audit' | 'writer',
    leave?: 'value' | 'tombstone',
  ): Promise<{ version: number }>;
}

/** What writers need of it. */
export interface WriterRecovery {
  /** Tries once, off everybody's path, to resolve what a write or a lease has left; else the sweeper finds it. */
  recoverSoon(key: Key): void;
}
