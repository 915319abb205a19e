import type { CacheOutcome } from '@lockstep/shared';
import type { Key } from '../domain/index.ts';

/** One key of a guard, as its caller knows it. */
export interface GuardedKey {
  key: Key;
  /** What `lockstep_guard` is called with. */
  fence: number;
  /** The version that the key had when it was guarded. */
  version: number;
}

/** A guard as its caller knows it. */
export interface GuardGrant {
  id: string;
  /** In the caller's order. */
  keys: readonly GuardedKey[];
  /** By the wall clock, for people and logs. The guard itself ends by this process's monotonic clock. */
  expiresAtMs: number;
}

/** What became of one key of a guard that is over. */
export interface GuardedResult {
  key: Key;
  /** The version that the key has. */
  version: number;
  /** Whether a transaction that called `lockstep_guard` for the key has committed. */
  isApplied: boolean;
  cache: CacheOutcome;
}

/** A row of `lockstep_guards`: one key of a guard, as the database knows it. */
export interface StoredGuard {
  guard: string;
  key: Key;
  fence: number;
  /** Whether a change of the row makes more wrong than the row's own strict entries. */
  hasOthers: boolean;
}

/** What the database says of one key of a guard. */
export interface GuardCall {
  resource: string;
  /** The key's canonical text. */
  keyText: string;
  fence: number;
  /** The version that the caller's committed transaction gave the key; null if none has committed. */
  version: number | null;
}

/** The guards in the database. Rejects with LockstepError `DATABASE_UNAVAILABLE`. */
export interface GuardStore {
  /** The database, as `database.client` names it: it says how `lockstep_guard` is called. */
  readonly database: string;
  /** From then on `lockstep_guard` admits the fences. */
  add(keys: readonly StoredGuard[]): Promise<void>;
  /** The keys of a guard; none where it was removed. */
  calls(guard: string): Promise<GuardCall[]>;
  /** From then on `lockstep_guard` refuses the fences. */
  remove(keys: readonly Pick<StoredGuard, 'key' | 'fence'>[]): Promise<void>;
  /** Removes those older than a day, at most `limit`; answers how many. */
  prune(limit: number): Promise<number>;
}

/** Strict transactions that are their callers' own. */
export interface GuardService {
  /** The database, as `database.client` names it: it says how `lockstep_guard` is called. */
  readonly database: string;
  /**
   * Holds the keys for a caller's transaction: the lock of each, and intents in the cache.
   * @throws LockstepError those of `LockService.acquire`; `RATE_LIMITED` where this process holds as many guards as it
   *   may; `CACHE_UNAVAILABLE`, `DATABASE_UNAVAILABLE`, `FENCED`, `SHUTTING_DOWN`
   */
  take(
    keys: readonly Key[],
    ttlMs: number,
    waitTimeoutMs?: number,
    caller?: string,
  ): Promise<GuardGrant>;
  /** @throws LockstepError `UNKNOWN_GUARD`, `GUARD_LOST`; `DATABASE_UNAVAILABLE` */
  grantOf(id: string): Promise<GuardGrant>;
  /**
   * The caller's transaction has committed: publishes what it left, and releases the keys.
   * @returns in the caller's order
   * @throws LockstepError `UNKNOWN_GUARD`; `GUARD_LOST` with what became of the transaction; `DATABASE_UNAVAILABLE`, and
   *   the guard is still held
   */
  commit(id: string): Promise<readonly GuardedResult[]>;
  /**
   * The caller's transaction was rolled back. Should it have committed after all, that is published.
   * @throws LockstepError as `commit`; `GUARD_LOST` only where the transaction has committed
   */
  rollback(id: string): Promise<void>;
  /** The number of guards held now. */
  readonly size: number;
  /** Ends all guards as if their time had run out, and takes no more. Waits at most `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}
