/** How this process waits for and holds locks. */
export interface LockOptions {
  /** TTL of a lock on the nodes, in whole ms. If its holder crashes, others wait this long. */
  ttlMs: number;
  /** The longest that a caller waits, for the queue and the nodes together. */
  waitTimeoutMs: number;
  /** Callers of this process that may wait for one key; the next one is refused at once. */
  maxWaitersPerKey: number;
  /** How long this process may hand one lock from caller to caller before other processes get a chance. */
  maxProcessLockMs: number;
  /** The number of callers that one lock may serve in that time. */
  maxProcessLockHolds: number;
  /** The longest that one caller may hold a lock. After that it is not extended, and the caller loses it. */
  maxHoldMs: number;
}

const DEFAULT_LOCK_OPTIONS: LockOptions = {
  ttlMs: 8_000,
  waitTimeoutMs: 5_000,
  maxWaitersPerKey: 1_000,
  maxProcessLockMs: 250,
  maxProcessLockHolds: 256,
  maxHoldMs: 30_000,
};

/** Below this, clock drift and a round trip use up most of a lock's time. */
const MIN_TTL_MS = 100;

/** Fills in defaults. @throws RangeError that names the option with a wrong value */
export function lockOptions(given: Partial<LockOptions>): LockOptions {
  const options = { ...DEFAULT_LOCK_OPTIONS, ...given };
  requireAtLeast('ttlMs', options.ttlMs, MIN_TTL_MS);
  if (!Number.isSafeInteger(options.ttlMs)) throw new RangeError('ttlMs must be whole');
  requireAtLeast('waitTimeoutMs', options.waitTimeoutMs, 0);
  requireAtLeast('maxWaitersPerKey', options.maxWaitersPerKey, 1);
  requireAtLeast('maxProcessLockMs', options.maxProcessLockMs, 0);
  requireAtLeast('maxProcessLockHolds', options.maxProcessLockHolds, 1);
  requireAtLeast('maxHoldMs', options.maxHoldMs, 1);
  return options;
}

function requireAtLeast(name: string, value: number, least: number): void {
  if (!(value >= least)) throw new RangeError(`${name} must be at least ${least}`);
}
