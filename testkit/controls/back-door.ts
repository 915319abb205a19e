/** What a control does to the servers past the engine's own steps. */
export interface BackDoor {
  cache: CacheBackDoor;
  locks: LockBackDoor;
}

/** Plain commands on the cache. They reject with LockstepError `CACHE_UNAVAILABLE` where it does not answer. */
export interface CacheBackDoor {
  get(cacheKey: string): Promise<string | null>;
  /** @param ttlMs null: no expiry */
  set(cacheKey: string, text: string, ttlMs: number | null): Promise<void>;
  expire(cacheKey: string, ttlMs: number): Promise<void>;
}

export interface LockBackDoor {
  /** Deletes a lock on every node that answers, no matter who holds it. Never rejects. */
  delete(lockKey: string): Promise<void>;
}
