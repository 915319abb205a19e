/** Limits on leases. */
export interface LeaseOptions {
  /** Leases that one process may hold at a time. */
  max: number;
  /** The longest time for which a lease may be granted or extended. */
  maxTtlMs: number;
  /** The longest life of a lease with all its extensions. */
  maxLifeMs: number;
  /** The longest that a write waits for earlier writes within one lease. */
  waitTimeoutMs: number;
}

/** Below this, round trips use up most of a lease. */
export const MIN_LEASE_TTL_MS = 100;

const DEFAULT_LEASE_OPTIONS: LeaseOptions = {
  max: 1_000,
  maxTtlMs: 60_000,
  maxLifeMs: 3_600_000,
  waitTimeoutMs: 5_000,
};

export const leaseOptions = (given: Partial<LeaseOptions>): LeaseOptions => ({
  ...DEFAULT_LEASE_OPTIONS,
  ...given,
});
