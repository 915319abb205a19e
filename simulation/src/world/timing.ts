/** The times of a simulated world, in ms: those of a production system, scaled down. */
export const TIMING = {
  lockTtlMs: 150,
  lockWaitMs: 400,
  lockCommandMs: 30,
  maxHoldMs: 1_500,
  cacheCommandMs: 50,
  /** Longer than a lock's TTL, like a badly chosen setting: safety must not depend on it. */
  databaseMs: 300,
  /** How soon the database notices that a connection is gone. */
  goneMs: 200,
  leaseTtlMs: 500,
  tombstoneTtlMs: 1_000,
  /** How long a client waits for a coordinator. */
  clientMs: 6_000,
  /** How old an answer from a client's memory may be. */
  localLagMs: 60,
  /** How often coordinators begin invalidation streams that are gone. */
  keepStreamsMs: 60,
  /** How soon an unavailable cache is tried again, and a killed coordinator. */
  probeMs: 80,
} as const;

/** The wall clock at the beginning of the world. */
export const EPOCH_MS = 1_700_000_000_000;
