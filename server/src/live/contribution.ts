import type { ContentionEvent, LocksEvent, NodeStatus, TtlEvent } from '@lockstep/shared';
import type { MetricsSecond, Totals } from '../metrics/index.ts';

/** Changes with the shape below: instances of another release are then shown as nodes, but not added up. */
export const CONTRIBUTION_FORMAT = 1;

/**
 * What one instance tells the others about its last second. The part below `details` is only there while somebody
 * watches, anywhere in the cluster.
 */
export interface Contribution {
  format: typeof CONTRIBUTION_FORMAT;
  instance: string;
  atMs: number;
  /** Sockets that watch through this instance. */
  viewers: number;
  second: MetricsSecond;
  totals: Totals;
  locksHeld: number;
  locksWaiting: number;
  details: ContributionDetails | null;
}

export interface ContributionDetails {
  /** `held` at most 200, `waiting` at most 50. */
  locks: Omit<LocksEvent, 'atMs'>;
  /** At most 50 keys. */
  contention: Omit<ContentionEvent, 'atMs'>;
  ttl: TtlEvent;
  nodes: NodeStatus[];
}

/** Most entries of a list in an event, as shared/src/live.ts promises. */
export const LIVE_BOUNDS = { held: 200, waiting: 50, contention: 50 } as const;

/** A message of another instance as a contribution; null where it is none that this release understands. */
export function asContribution(message: unknown): Contribution | null {
  if (!isRecord(message) || message.format !== CONTRIBUTION_FORMAT) return null;
  const { instance, atMs, viewers, second, totals, details } = message;
  const isSound =
    typeof instance === 'string' &&
    instance.length <= 100 &&
    Number.isFinite(atMs) &&
    Number.isFinite(viewers) &&
    isRecord(second) &&
    isRecord(totals) &&
    (details === null || isRecord(details));
  return isSound ? (message as unknown as Contribution) : null;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
