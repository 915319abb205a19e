import type {
  ContentionEvent,
  HeldLockView,
  LocksEvent,
  MetricsEvent,
  MetricsPoint,
  NodeStatus,
  TtlEvent,
} from '@lockstep/shared';
import { highestOf, weightedHitRate, type Totals } from '../metrics/index.ts';
import { LIVE_BOUNDS, type InstanceSnapshot } from './instance-snapshot.ts';

/** Facts of the whole cluster, from the database: they are not added up. */
export interface ClusterFacts {
  outboxDepth: number;
  consistency: number | null;
}

/**
 * One second of the cluster out of its instances' seconds.
 *
 * Rates and gauges add up; the hit rate is weighted by what it is a share of. Percentiles of several instances can't
 * be added up: the highest is shown, and the true one of the whole lies at or below it.
 */
export function mergeMetrics(
  parts: readonly InstanceSnapshot[],
  facts: ClusterFacts,
  atMs: number,
): MetricsPoint {
  const sum = (pick: (part: InstanceSnapshot) => number): number =>
    Math.round(parts.reduce((total, part) => total + pick(part), 0) * 100) / 100;
  const highest = (pick: (part: InstanceSnapshot) => number | null): number | null =>
    highestOf(parts.map(pick));
  return {
    atMs,
    writesPerSecond: sum(({ second }) => second.writesPerSecond),
    readsPerSecond: sum(({ second }) => second.readsPerSecond),
    errorsPerSecond: sum(({ second }) => second.errorsPerSecond),
    hitRate: weightedHitRate(
      parts.map(({ second }) => ({ hitRate: second.hitRate, weight: second.lookupsPerSecond })),
    ),
    writeP50Ms: highest(({ second }) => second.writeP50Ms),
    writeP99Ms: highest(({ second }) => second.writeP99Ms),
    readP50Ms: highest(({ second }) => second.readP50Ms),
    readP99Ms: highest(({ second }) => second.readP99Ms),
    lockWaitP99Ms: highest(({ second }) => second.lockWaitP99Ms),
    locksHeld: sum(({ locksHeld }) => locksHeld),
    locksWaiting: sum(({ locksWaiting }) => locksWaiting),
    outboxDepth: facts.outboxDepth,
    consistency: facts.consistency,
  };
}

/** Totals of several instances, added up. */
export function mergeTotals(parts: readonly Totals[]): MetricsEvent['totals'] {
  const writes = new Map<string, Totals['writes'][number]>();
  for (const entry of parts.flatMap((part) => part.writes)) {
    const name = `${entry.policy} ${entry.outcome}`;
    const known = writes.get(name);
    if (known === undefined) writes.set(name, { ...entry });
    else known.count += entry.count;
  }
  const sum = (pick: (part: Totals) => number): number =>
    parts.reduce((total, part) => total + pick(part), 0);
  return {
    writes: [...writes.values()],
    fencedWrites: sum((part) => part.fencedWrites),
    intentsRecovered: sum((part) => part.intentsRecovered),
    fillsRefused: sum((part) => part.fillsRefused),
    locksLost: sum((part) => part.locksLost),
  };
}

/**
 * Held locks and waiters of all instances. A held lock's `waiting` counts the callers of every instance that wait for
 * the key, not only its holder's.
 */
export function mergeLocks(parts: readonly Omit<LocksEvent, 'atMs'>[], atMs: number): LocksEvent {
  const waiting = parts.flatMap((part) => part.waiting);
  const waitingByKey = new Map<string, number>();
  for (const { resource, key, waiting: count } of waiting) {
    const name = nameOf(resource, key);
    waitingByKey.set(name, (waitingByKey.get(name) ?? 0) + count);
  }
  const held: HeldLockView[] = parts
    .flatMap((part) => part.held)
    .map((lock) => ({
      ...lock,
      waiting: Math.max(lock.waiting, waitingByKey.get(nameOf(lock.resource, lock.key)) ?? 0),
    }));
  return {
    atMs,
    held: held.sort((a, b) => b.heldMs - a.heldMs).slice(0, LIVE_BOUNDS.held),
    heldTotal: parts.reduce((sum, part) => sum + part.heldTotal, 0),
    leasedTotal: parts.reduce((sum, part) => sum + (part.leasedTotal ?? 0), 0),
    waiting: waiting
      .sort((a, b) => b.waiting - a.waiting || b.longestWaitMs - a.longestWaitMs)
      .slice(0, LIVE_BOUNDS.waiting),
    waitingTotal: parts.reduce((sum, part) => sum + part.waitingTotal, 0),
  };
}

/** Contended keys of all instances: counts and their errors add up, percentiles are the highest. */
export function mergeContention(
  parts: readonly Omit<ContentionEvent, 'atMs'>[],
  atMs: number,
): ContentionEvent {
  const keys = new Map<string, ContentionEvent['keys'][number]>();
  for (const entry of parts.flatMap((part) => part.keys)) {
    const name = nameOf(entry.resource, entry.key);
    const known = keys.get(name);
    if (known === undefined) {
      keys.set(name, { ...entry });
      continue;
    }
    known.count += entry.count;
    known.error += entry.error;
    known.waitP99Ms = Math.max(known.waitP99Ms, entry.waitP99Ms);
    known.holdP99Ms = Math.max(known.holdP99Ms, entry.holdP99Ms);
  }
  const sum = (pick: (totals: ContentionEvent['totals']) => number): number =>
    parts.reduce((total, part) => total + pick(part.totals), 0);
  return {
    atMs,
    keys: [...keys.values()].sort((a, b) => b.count - a.count).slice(0, LIVE_BOUNDS.contention),
    totals: {
      acquired: sum((totals) => totals.acquired),
      contended: sum((totals) => totals.contended),
      timedOut: sum((totals) => totals.timedOut),
      lost: sum((totals) => totals.lost),
      queueFull: sum((totals) => totals.queueFull),
    },
  };
}

/** Every instance sweeps the same cache: the newest complete sweep stands for all. */
export function newestTtl(own: TtlEvent, others: readonly TtlEvent[]): TtlEvent {
  return others.reduce(
    (newest, part) =>
      (part.sweep?.endedAtMs ?? 0) > (newest.sweep?.endedAtMs ?? 0) ? part : newest,
    own,
  );
}

const SEVERITY = { up: 0, slow: 1, down: 2 } as const;

/**
 * Every server once, in the worst state that an instance reports, and how many instances report it; then each coordinator.
 * The own view comes first, so that the order is the same in each event.
 */
export function mergeNodes(views: readonly (readonly NodeStatus[])[]): NodeStatus[] {
  const nodes = new Map<string, { worst: NodeStatus; views: number; sharing: number }>();
  for (const node of views.flat()) {
    const known = nodes.get(node.name);
    if (known === undefined) {
      nodes.set(node.name, { worst: node, views: 1, sharing: 1 });
      continue;
    }
    known.views++;
    const difference = SEVERITY[node.status] - SEVERITY[known.worst.status];
    if (difference === 0) known.sharing++;
    if (difference > 0) Object.assign(known, { worst: node, sharing: 1 });
  }
  const merged = [...nodes.values()].map(({ worst, views: all, sharing }) =>
    worst.status === 'up' || sharing === all
      ? worst
      : {
          ...worst,
          detail: `${worst.detail ?? worst.status} (seen by ${sharing} of ${all} coordinators)`,
        },
  );
  const isCoordinator = ({ kind }: NodeStatus): number => (kind === 'coordinator' ? 1 : 0);
  return merged.sort((a, b) => isCoordinator(a) - isCoordinator(b));
}

const nameOf = (resource: string, key: string): string => `${resource} ${key}`;
