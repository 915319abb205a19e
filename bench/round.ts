import { jainIndex, quantileOf } from './statistics.ts';

/** One write of one caller; rejects if it is not acknowledged. */
export type Write = (caller: number, key: number, value: number) => Promise<void>;

export interface RoundOptions {
  callers: number;
  durationMs: number;
  /** Keys are 1 to this, picked uniformly; 1 makes every caller write the same row. */
  keys: number;
}

export interface RoundResult {
  opsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  errors: number;
  /** Jain's index over the callers' finished writes. */
  jain: number;
  firstError: string | null;
}

/**
 * Lets every caller write in a closed loop. Writes that end within the round count for the rate and for fairness; the
 * latencies also include those in flight at its end, because leaving the slowest out would flatter a contender
 * that starves callers.
 */
export async function runRound(write: Write, options: RoundOptions): Promise<RoundResult> {
  const finished = new Array<number>(options.callers).fill(0);
  const latenciesMs: number[] = [];
  const failures: unknown[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + options.durationMs;

  const callInALoop = async (caller: number): Promise<void> => {
    let now = performance.now();
    while (now < endsAt) {
      const key = 1 + Math.floor(Math.random() * options.keys);
      const value = Math.floor(Math.random() * 1_000_000_000);
      try {
        await write(caller, key, value);
      } catch (error) {
        failures.push(error);
      }
      const endedAt = performance.now();
      latenciesMs.push(endedAt - now);
      if (endedAt <= endsAt) finished[caller] = (finished[caller] ?? 0) + 1;
      now = endedAt;
    }
  };
  await Promise.all(finished.map((_, caller) => callInALoop(caller)));

  const sorted = Float64Array.from(latenciesMs).sort();
  const total = finished.reduce((sum, count) => sum + count, 0) - failures.length;
  return {
    opsPerSecond: (Math.max(0, total) * 1000) / options.durationMs,
    p50Ms: quantileOf(sorted, 0.5),
    p99Ms: quantileOf(sorted, 0.99),
    errors: failures.length,
    jain: jainIndex(finished),
    firstError: failures.length === 0 ? null : String(failures[0]),
  };
}
