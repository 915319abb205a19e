/** This process's monotonic clock, in ms. Durations are measured by it alone; no two clocks are compared. */
export const nowMs = (): number => performance.now();
