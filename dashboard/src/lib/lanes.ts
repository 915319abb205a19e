/**
 * Lanes: one row of the locks view for each key that is held or waited for, followed from snapshot to snapshot.
 *
 * A snapshot a second of locks that live for milliseconds would replace every row each time. A lane stays
 * while its key is busy, whoever holds it, and for a moment after, so that nothing vanishes under a reader.
 *
 * States of a lane:
 *   held      someone holds the key
 *   changing  nobody does in this snapshot, and callers wait: it is between two turns
 *   released  neither; the lane goes after LINGER_MS
 */
import type { HeldLockView, LocksEvent } from '@lockstep/shared';

/** How long a lane stays after its last turn. */
export const LINGER_MS = 5_000;
/** Snapshots that a lane remembers: at one a second, half a minute. */
export const HISTORY_LENGTH = 30;
const MAX_LANES = 250;
/** A hold this long is standing: it has outlived what a write takes, and its age may be counted on. */
export const STANDING_MS = 1_000;

export interface Lane {
  id: string;
  resource: string;
  key: string;
  state: 'held' | 'changing' | 'released';
  /** The present turn, or the last one seen. */
  hold: HeldLockView | null;
  waiting: number;
  longestWaitMs: number | null;
  /** Turns that snapshots have shown; there were at least so many. */
  turns: number;
  firstSeenMs: number;
  lastBusyMs: number;
  /** The last snapshots, oldest first: how many waited, or null where the key was free. */
  history: (number | null)[];
  /** Recent waiters and seconds held, fading by half each snapshot; orders the lanes without jitter. */
  pressure: number;
}

const laneId = (resource: string, key: string): string => `${resource}\n${key}`;

/** The lanes after another snapshot, those under most pressure first. */
export function follow(lanes: readonly Lane[], event: LocksEvent): Lane[] {
  const next = new Map<string, Lane>();
  for (const lane of lanes) {
    if (event.atMs - lane.lastBusyMs < LINGER_MS) next.set(lane.id, released(lane));
  }
  for (const hold of event.held) {
    const id = laneId(hold.resource, hold.key);
    next.set(id, held(next.get(id) ?? opened(id, hold, event.atMs), hold, event.atMs));
  }
  for (const queue of event.waiting) {
    const id = laneId(queue.resource, queue.key);
    const lane = next.get(id) ?? opened(id, queue, event.atMs);
    next.set(id, {
      ...lane,
      state: lane.state === 'held' ? 'held' : 'changing',
      waiting: Math.max(lane.waiting, queue.waiting),
      longestWaitMs: queue.longestWaitMs,
      lastBusyMs: event.atMs,
      pressure: lane.pressure + Math.max(0, queue.waiting - lane.waiting),
    });
  }
  return [...next.values()].map(remember).sort(byPressure).slice(0, MAX_LANES);
}

function opened(id: string, ref: { resource: string; key: string }, atMs: number): Lane {
  return {
    id,
    resource: ref.resource,
    key: ref.key,
    state: 'released',
    hold: null,
    waiting: 0,
    longestWaitMs: null,
    turns: 0,
    firstSeenMs: atMs,
    lastBusyMs: atMs,
    history: [],
    pressure: 0,
  };
}

function remember(lane: Lane): Lane {
  const busy = lane.state === 'released' ? null : lane.waiting;
  return { ...lane, history: [...lane.history, busy].slice(-HISTORY_LENGTH) };
}

function released(lane: Lane): Lane {
  return {
    ...lane,
    state: 'released',
    waiting: 0,
    longestWaitMs: null,
    pressure: lane.pressure / 2,
  };
}

function held(lane: Lane, hold: HeldLockView, atMs: number): Lane {
  const sameTurn =
    lane.hold !== null &&
    lane.hold.instance === hold.instance &&
    lane.hold.fence === hold.fence &&
    hold.heldMs >= lane.hold.heldMs;
  return {
    ...lane,
    state: 'held',
    hold,
    waiting: hold.waiting,
    turns: sameTurn ? lane.turns : lane.turns + 1,
    lastBusyMs: atMs,
    pressure: lane.pressure + hold.waiting + hold.heldMs / 1000,
  };
}

/**
 * Busy keys before released ones; then pressure, in steps of doubling so that small changes move no row; then the
 * older lane.
 */
function byPressure(a: Lane, b: Lane): number {
  const idle = (lane: Lane): number => (lane.state === 'released' ? 1 : 0);
  const step = (lane: Lane): number => Math.round(Math.log2(lane.pressure + 0.5));
  return (
    idle(a) - idle(b) ||
    step(b) - step(a) ||
    a.firstSeenMs - b.firstSeenMs ||
    (a.id < b.id ? -1 : 1)
  );
}
