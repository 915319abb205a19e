import type {
  AuditEvent,
  ContentionEvent,
  LocksEvent,
  NodeStatus,
  OutboxEvent,
  TtlEvent,
} from '@lockstep/shared';
import type { LockSnapshot } from '../locks/port.ts';
import type { MetricsSecond, Totals } from '../metrics/index.ts';
import type { Runtime } from '../runtime/index.ts';

/** What the live stream reads of this instance, once a second. The synchronous ones must be cheap. */
export interface LiveSources {
  /** Closes the running second (`Metrics.second`); nobody else may call it. */
  second(): MetricsSecond;
  totals(): Totals;
  locks(): LockSnapshot;
  contention(): Omit<ContentionEvent, 'atMs'>;
  ttl(): TtlEvent;
  nodes(): NodeStatus[];
  /** Facts of the whole cluster, from the database; may be slow or fail. */
  audit(): Promise<Omit<AuditEvent, 'atMs'>> | Omit<AuditEvent, 'atMs'>;
  outbox(): Promise<Omit<OutboxEvent, 'atMs'>> | Omit<OutboxEvent, 'atMs'>;
}

/** Changes with the shape below: instances of another release are then shown as nodes, but not added up. */
export const SNAPSHOT_FORMAT = 1;

/**
 * What one instance sends the others about its last second. `details` is there only while somebody watches, anywhere in
 * the cluster.
 */
export interface InstanceSnapshot {
  format: typeof SNAPSHOT_FORMAT;
  instance: string;
  atMs: number;
  /** Sockets that watch through this instance. */
  viewers: number;
  second: MetricsSecond;
  totals: Totals;
  locksHeld: number;
  locksWaiting: number;
  details: SnapshotDetails | null;
}

export interface SnapshotDetails {
  /** `held` at most 200, `waiting` at most 50. */
  locks: Omit<LocksEvent, 'atMs'>;
  /** At most 50 keys. */
  contention: Omit<ContentionEvent, 'atMs'>;
  ttl: TtlEvent;
  nodes: NodeStatus[];
}

/** Most entries of a list in an event, as shared/src/live.ts promises. */
export const LIVE_BOUNDS = { held: 200, waiting: 50, contention: 50 } as const;

/** Another instance's message as a snapshot; null if this release does not understand it. */
export function asInstanceSnapshot(message: unknown): InstanceSnapshot | null {
  if (!isRecord(message) || message.format !== SNAPSHOT_FORMAT) return null;
  const { instance, atMs, viewers, second, totals, details } = message;
  const isSound =
    typeof instance === 'string' &&
    instance.length <= 100 &&
    Number.isFinite(atMs) &&
    Number.isFinite(viewers) &&
    isRecord(second) &&
    isRecord(totals) &&
    (details === null || isRecord(details));
  return isSound ? (message as unknown as InstanceSnapshot) : null;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Closes and returns this instance's last second. Details are gathered only while somebody watches. */
export function takeSecond(
  sources: LiveSources,
  instance: string,
  clock: Runtime['clock'],
): Omit<InstanceSnapshot, 'viewers' | 'details'> {
  const { held, waiting } = sources.locks();
  return {
    format: SNAPSHOT_FORMAT,
    instance,
    atMs: clock.wallMs(),
    second: sources.second(),
    totals: sources.totals(),
    locksHeld: held.length,
    locksWaiting: sumWaiting(waiting),
  };
}

/** What this instance holds, contends for and sees, cut to the bounds of an event. */
export function takeDetails(sources: LiveSources, instance: string): SnapshotDetails {
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
