/** What each step costs, in µs. docs/scaling.md says where each figure comes from. */
export const COSTS = {
  /** Measured: CPU of the coordinator for a write that was sent alone, 64 callers, uniform keys. */
  coordinatorStrictWrite: 308,
  coordinatorPlainWrite: 105,
  /** Measured: one process, all writes on one key. Its inverse bounds the strict writes of one key. */
  coordinatorStrictWriteOfOneKey: 157,
  /** Assumed: as a write without a lock. */
  coordinatorMiss: 105,
  /** Assumed: one command or script on one thread of Redis. */
  redisCommand: 8,
  /** Assumed: one core of the database. */
  databaseWrite: 60,
  databaseRead: 40,
  /** Assumed: one way, within one data centre. */
  network: 50,
} as const;
