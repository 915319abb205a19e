/** How this process waits for and holds locks. */
export interface LockOptions {
  /** Life of a lock on the nodes, in whole ms. Whoever waits for a crashed holder waits this long. */
  ttlMs: number;
  /** Bound on a caller's wait, queue and lock together. */
  waitTimeoutMs: number;
  /** Waiting callers of one key in this process; one more is refused at once. */
  maxWaitersPerKey: number;
  /** How long this process may pass one key's lock from caller to caller before other processes get a chance. */
  maxProcessLockMs: number;
  /** The same in turns. */
  maxProcessLockHolds: number;
  /** Longest turn: its lock is extended no further, and given up when it is over. */
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

/** Below this, drift and a round trip eat most of a lock's life. */
const MIN_TTL_MS = 100;

/** Fills in defaults. @throws RangeError naming the option that makes no sense */
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
