/**
 * Busy keys: one row of the locks page for each key that is held or waited for, followed from snapshot to snapshot.
 *
 * Locks live for milliseconds and a snapshot comes once a second, so a plain list would change completely each time. Here
 * a row stays while its key is busy, even if the holder changes, and for a moment after. So the reader can finish reading it.
 *
 * States of a busy key:
 *   held      someone holds it
 *   changing  callers wait and nobody holds it in this snapshot, because it is between two holders
 *   released  neither; the row goes after LINGER_MS
 */
import type { HeldLockView, LocksEvent } from '@lockstep/shared';

/** How long a key stays after it was last busy. */
export const LINGER_MS = 5_000;
/** How many snapshots a key's history has: at one a second, half a minute. */
export const HISTORY_LENGTH = 30;
const MAX_KEYS = 250;
/** A hold this long is not a short write, so its age can be counted up between snapshots. */
export const STANDING_MS = 1_000;

export interface BusyKey {
  id: string;
  resource: string;
  key: string;
  state: 'held' | 'changing' | 'released';
  /** The present hold, or the last one seen. */
  hold: HeldLockView | null;
  waiting: number;
  longestWaitMs: number | null;
  firstSeenMs: number;
  lastBusyMs: number;
  /** The last snapshots, oldest first: how many waited, or null where the key was free. */
  history: (number | null)[];
  /** Recent waiters and seconds held, halved with each snapshot. Keeps the order of the rows stable. */
  pressure: number;
}

/** The busy keys after another snapshot, those with the most pressure first. */
export function follow(known: readonly BusyKey[], event: LocksEvent): BusyKey[] {
  const next = new Map<string, BusyKey>();
  for (const busy of known) {
    if (event.atMs - busy.lastBusyMs >= LINGER_MS) continue;
    next.set(busy.id, {
      ...busy,
      state: 'released',
      waiting: 0,
      longestWaitMs: null,
      pressure: busy.pressure / 2,
    });
  }
  const busyKeyOf = (ref: { resource: string; key: string }): BusyKey => {
    const id = `${ref.resource}\n${ref.key}`;
    return next.get(id) ?? newlyBusy(id, ref.resource, ref.key, event.atMs);
  };
  for (const hold of event.held) {
    const busy = busyKeyOf(hold);
    next.set(busy.id, {
      ...busy,
      state: 'held',
      hold,
      waiting: hold.waiting,
      lastBusyMs: event.atMs,
      pressure: busy.pressure + hold.waiting + hold.heldMs / 1000,
    });
  }
  for (const queue of event.waiting) {
    const busy = busyKeyOf(queue);
    next.set(busy.id, {
      ...busy,
      state: busy.state === 'held' ? 'held' : 'changing',
      waiting: Math.max(busy.waiting, queue.waiting),
      longestWaitMs: queue.longestWaitMs,
      lastBusyMs: event.atMs,
      pressure: busy.pressure + Math.max(0, queue.waiting - busy.waiting),
    });
  }
  return [...next.values()].map(withHistory).sort(byPressure).slice(0, MAX_KEYS);
}

function newlyBusy(id: string, resource: string, key: string, atMs: number): BusyKey {
  return {
    id,
    resource,
    key,
    state: 'released',
    hold: null,
    waiting: 0,
    longestWaitMs: null,
    firstSeenMs: atMs,
    lastBusyMs: atMs,
    history: [],
    pressure: 0,
  };
}

function withHistory(busy: BusyKey): BusyKey {
  const waiting = busy.state === 'released' ? null : busy.waiting;
  return { ...busy, history: [...busy.history, waiting].slice(-HISTORY_LENGTH) };
}

/**
 * Busy keys come before released ones; then by pressure, in steps of doubling so that small changes move no row; then
 * the key that was seen first.
 */
function byPressure(a: BusyKey, b: BusyKey): number {
  const idle = (busy: BusyKey): number => (busy.state === 'released' ? 1 : 0);
  const step = (busy: BusyKey): number => Math.round(Math.log2(busy.pressure + 0.5));
  return (
    idle(a) - idle(b) ||
    step(b) - step(a) ||
    a.firstSeenMs - b.firstSeenMs ||
    (a.id < b.id ? -1 : 1)
  );
}
