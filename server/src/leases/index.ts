export { HeldLeases } from './lease-service.ts';
export { locksWithLeases } from './locks-with-leases.ts';
export { instanceOfLease, leaseIdOf } from './ended-leases.ts';
export { type LeaseOptions, MIN_LEASE_TTL_MS } from './lease-options.ts';
export type * from './port.ts';
