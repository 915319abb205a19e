/** Times of a simulated world, in ms: a production's, made smaller in about the same proportions. */
export const TIMING = {
  lockTtlMs: 150,
  lockWaitMs: 400,
  lockCommandMs: 30,
  maxHoldMs: 1_500,
  cacheCommandMs: 50,
  /** Longer than a lock lives, as a badly chosen one would be: safety must not depend on it. */
  databaseMs: 300,
  /** How soon the database notices that a connection is gone. */
  goneMs: 200,
  leaseTtlMs: 500,
  tombstoneTtlMs: 1_000,
  /** How long a client waits for a coordinator. */
  clientMs: 6_000,
  /** How soon the cache is tried again after it was found away, and a coordinator after it was killed. */
  probeMs: 80,
} as const;

/** The world's wall clock at its beginning. */
export const EPOCH_MS = 1_700_000_000_000;
