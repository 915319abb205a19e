import type { Resource, Row } from '../domain/index.ts';

/** What a refresh finds before it reads the table. */
export interface BegunGeneration {
  /** Number of the generation that is there; 0 where none is. */
  generation: number;
  /** Cache keys of its entries. */
  members: string[];
  /** The cache's own clock at the beginning, in ms: what was invalidated from then on stays invalidated. */
  sinceMs: number;
}

export interface NewGeneration {
  begun: BegunGeneration;
  /** Of different cache keys. */
  entries: readonly { cacheKey: string; version: number; row: Row; tag?: string }[];
  /** Life of the entries, in ms. */
  lifeMs: number;
}

/**
 * The generations of refreshed tables in the cache.
 * Rejects with LockstepError `CACHE_UNAVAILABLE`; a swap that does has happened whole or not at all.
 */
export interface Generations {
  /** False where the cache has none of it (any more), so that readers go to the database. */
  isThere(resource: Resource): Promise<boolean>;
  /** Its entries went: the next look finds no generation. */
  forget(resource: string): Promise<void>;
  begin(resource: Resource): Promise<BegunGeneration>;
  /**
   * Puts the new entries in the place of the old ones in one step, and removes those of rows that went. `superseded`
   * where another generation has come since `begun`: nothing happens then.
   */
  swap(
    resource: Resource,
    next: NewGeneration,
  ): Promise<{ status: 'swapped'; removed: number } | { status: 'superseded' }>;
}
