import type { ConsistencyWindow } from '@lockstep/shared';

/** The windows that consistency is shown over: 1, 5 and 60 minutes. */
const WINDOWS_MS = [60_000, 300_000, 3_600_000] as const;
/** Standard score of a one-sided 95% bound. */
const Z_95 = 1.6448536269514722;

/** What one run contributes: how long ago it ended, keys sampled, keys that had drifted. */
export interface SampleCount {
  agoMs: number;
  sampled: number;
  drift: number;
}

/** Consistency over each window, from what the runs of a resource have sampled. */
export function consistencyWindows(counts: readonly SampleCount[]): ConsistencyWindow[] {
  return WINDOWS_MS.map((windowMs) => {
    let samples = 0;
    let drift = 0;
    for (const count of counts) {
      if (count.agoMs > windowMs) continue;
      samples += count.sampled;
      drift += count.drift;
    }
    const share = samples === 0 ? null : 1 - drift / samples;
    return { windowMs, samples, drift, share, driftAtMost: driftAtMost(samples, drift) };
  });
}

/**
 * With 95% confidence, drift is at most this share. 0 in n samples: 3/n, the rule of three (Hanley and
 * Lippman-Hand, 1983). Otherwise the upper end of Wilson's score interval (1927). Null where nothing was sampled.
 */
export function driftAtMost(samples: number, drift: number): number | null {
  if (samples === 0) return null;
  if (drift === 0) return Math.min(1, 3 / samples);
  const share = drift / samples;
  const z2 = Z_95 * Z_95;
  const centre = share + z2 / (2 * samples);
  const spread = Z_95 * Math.sqrt((share * (1 - share)) / samples + z2 / (4 * samples * samples));
  return Math.min(1, (centre + spread) / (1 + z2 / samples));
}
