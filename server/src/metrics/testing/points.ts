import type { MetricsPoint } from '@lockstep/shared';

/** A second of a cluster in which nothing happened. */
export function point(atMs: number, changes: Partial<MetricsPoint> = {}): MetricsPoint {
  return {
    atMs,
    writesPerSecond: 0,
    readsPerSecond: 0,
    errorsPerSecond: 0,
    hitRate: null,
    writeP50Ms: null,
    writeP99Ms: null,
    readP50Ms: null,
    readP99Ms: null,
    lockWaitP99Ms: null,
    locksHeld: 0,
    locksWaiting: 0,
    outboxDepth: 0,
    consistency: null,
    ...changes,
  };
}
