/** Limits on guards. */
export interface GuardOptions {
  /** Guards that one process may hold at a time. */
  max: number;
  /** The longest time for which a guard may be taken. */
  maxTtlMs: number;
}

/** Below this, round trips use up most of a guard. */
export const MIN_GUARD_TTL_MS = 100;

const DEFAULT_GUARD_OPTIONS: GuardOptions = { max: 1_000, maxTtlMs: 60_000 };

export const guardOptions = (given: Partial<GuardOptions>): GuardOptions => ({
  ...DEFAULT_GUARD_OPTIONS,
  ...given,
});
