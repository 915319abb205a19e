/** Bounds on leases. */
export interface LeaseOptions {
  /** Leases that one process holds at a time. */
  max: number;
  /** Longest time that a lease lasts without being extended. */
  maxTtlMs: number;
  /** Longest life of a lease, with all its extensions. */
  maxLifeMs: number;
  /** Bound on a write's wait for the writes before it within one lease. */
  waitTimeoutMs: number;
}

/** Below this, round trips eat most of a lease. */
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
