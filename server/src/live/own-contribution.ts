import type { LocksEvent } from '@lockstep/shared';
import type { LockSnapshot } from '../locks/port.ts';
import type { Runtime } from '../runtime/index.ts';
import {
  CONTRIBUTION_FORMAT,
  LIVE_BOUNDS,
  type Contribution,
  type ContributionDetails,
} from './contribution.ts';
import type { LiveSources } from './sources.ts';

/** This instance's last second: closes it. Details are gathered apart, while somebody watches. */
export function takeSecond(
  sources: LiveSources,
  instance: string,
  clock: Runtime['clock'],
): Omit<Contribution, 'viewers' | 'details'> {
  const { held, waiting } = sources.locks();
  return {
    format: CONTRIBUTION_FORMAT,
    instance,
    atMs: clock.wallMs(),
    second: sources.second(),
    totals: sources.totals(),
    locksHeld: held.length,
    locksWaiting: sumWaiting(waiting),
  };
}

/** What this instance holds, contends for and sees, cut to the bounds of an event. */
export function takeDetails(sources: LiveSources, instance: string): ContributionDetails {
  const { keys, totals } = sources.contention();
  return {
    locks: boundedLocks(sources.locks(), instance),
    contention: {
      keys: [...keys].sort((a, b) => b.count - a.count).slice(0, LIVE_BOUNDS.contention),
      totals,
    },
    ttl: sources.ttl(),
    nodes: sources.nodes(),
  };
}

function boundedLocks({ held, waiting }: LockSnapshot, instance: string): Omit<LocksEvent, 'atMs'> {
  return {
    held: [...held]
      .sort((a, b) => b.heldMs - a.heldMs)
      .slice(0, LIVE_BOUNDS.held)
      .map((lock) => ({ ...lock, instance })),
    heldTotal: held.length,
    leasedTotal: held.filter(({ purpose }) => purpose === 'lease').length,
    waiting: [...waiting]
      .sort((a, b) => b.waiting - a.waiting)
      .slice(0, LIVE_BOUNDS.waiting)
      .map((entry) => ({ ...entry, instance })),
    waitingTotal: sumWaiting(waiting),
  };
}

const sumWaiting = (waiting: LockSnapshot['waiting']): number =>
  waiting.reduce((sum, entry) => sum + entry.waiting, 0);
