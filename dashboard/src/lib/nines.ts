/** Consistency as text: the share of samples without drift, and the bound that the number of samples allows. */
import type { ConsistencyWindow } from '@lockstep/shared';
import { countOf, NOTHING, percentText } from './format.ts';

/** How many nines a share has: 0.999 has 3. Null for a share of 1, which no number of samples proves. */
export function ninesOf(share: number): number | null {
  if (share >= 1) return null;
  return -Math.log10(1 - Math.max(0, share));
}

export interface WindowText {
  /** Share of samples without drift. */
  share: string;
  /** The bound in words. */
  bound: string;
  /** A short form of the bound. */
  shortBound: string;
  /** Nines that the bound proves, such as `2.5 nines`. */
  nines: string;
  state: 'ok' | 'drift' | 'none';
}

/** A consistency window as a table cell shows it. */
export function describeWindow(window: ConsistencyWindow | undefined): WindowText {
  if (window === undefined || window.share === null || window.samples === 0) {
    return {
      share: NOTHING,
      bound: 'no samples',
      shortBound: 'no samples',
      nines: '',
      state: 'none',
    };
  }
  const atMost = window.driftAtMost ?? 1;
  const proven = ninesOf(1 - Math.min(1, atMost));
  return {
    share: percentText(window.share, 2),
    bound: `at most ${boundText(atMost)}, 95%`,
    shortBound: `≤ ${boundText(atMost)}`,
    nines: proven === null || proven < 0.05 ? '' : `${proven.toFixed(1)} nines`,
    state: window.drift > 0 ? 'drift' : 'ok',
  };
}

/** A bound is rounded up, because rounding down would promise more than the samples show. */
function boundText(share: number): string {
  const percent = Math.min(1, Math.max(0, share)) * 100;
  const scale = percent < 0.1 ? 1000 : percent < 10 ? 100 : 1;
  return `${Math.ceil(percent * scale - 1e-9) / scale}%`;
}

/** One line over all resources for the longest window, such as `no drift in 12,400 samples of the last hour`. */
export function summarizeWindows(windows: readonly ConsistencyWindow[]): string {
  const samples = windows.reduce((sum, window) => sum + window.samples, 0);
  const drift = windows.reduce((sum, window) => sum + window.drift, 0);
  if (samples === 0) return 'no audit has sampled anything in the last hour';
  if (drift === 0) return `no drift in ${countOf(samples, 'sample')} of the last hour`;
  return `${countOf(drift, 'drift', 'drifts')} in ${countOf(samples, 'sample')} of the last hour`;
}
