import type { HeldLockView, NodeStatus, TtlEvent } from '@lockstep/shared';
import type { MetricsSecond, Totals } from '../../metrics/index.ts';
import { SNAPSHOT_FORMAT, type InstanceSnapshot } from '../instance-snapshot.ts';
import type { LiveSources } from '../instance-snapshot.ts';

export function second(changes: Partial<MetricsSecond> = {}): MetricsSecond {
  return {
    writesPerSecond: 10,
    readsPerSecond: 20,
    errorsPerSecond: 0,
    lookupsPerSecond: 20,
    hitRate: 0.5,
    writeP50Ms: 2,
    writeP99Ms: 9,
    readP50Ms: 1,
    readP99Ms: 4,
    lockWaitP99Ms: 3,
    ...changes,
  };
}

export function totals(changes: Partial<Totals> = {}): Totals {
  return {
    writes: [],
    fencedWrites: 0,
    intentsRecovered: 0,
    fillsRefused: 0,
    locksLost: 0,
    ...changes,
  };
}

export function held(key: string, changes: Partial<HeldLockView> = {}): HeldLockView {
  return {
    resource: 'route',
    key,
    instance: 'a',
    fence: 1,
    purpose: 'write',
    heldMs: 5,
    leftMs: 7_000,
    ttlMs: 8_000,
    waiting: 0,
    ...changes,
  };
}

export function node(name: string, changes: Partial<NodeStatus> = {}): NodeStatus {
  return { name, kind: 'lock', status: 'up', rttMs: 1, sinceMs: 0, detail: null, ...changes };
}

export function ttl(endedAtMs: number | null = null): TtlEvent {
  const sweep = endedAtMs === null ? null : { keys: 1, endedAtMs, tookMs: 1 };
  return { atMs: 0, resources: [], sweep };
}

export function snapshot(changes: Partial<InstanceSnapshot> = {}): InstanceSnapshot {
  return {
    format: SNAPSHOT_FORMAT,
    instance: 'b',
    atMs: 0,
    viewers: 0,
    second: second(),
    totals: totals(),
    locksHeld: 0,
    locksWaiting: 0,
    details: null,
    ...changes,
  };
}

/** Sources of an instance that holds one key and writes `writesPerSecond`. */
export function sources(instance: string, changes: Partial<LiveSources> = {}): LiveSources {
  return {
    second: () => second(),
    totals: () => totals({ fencedWrites: 1 }),
    locks: () => ({
      held: [{ ...held(`held-by-${instance}`), instance: undefined }].map(
        ({ instance: _, ...lock }) => lock,
      ),
      waiting: [{ resource: 'route', key: 'busy', waiting: 2, longestWaitMs: 4 }],
    }),
    contention: () => ({
      keys: [{ resource: 'route', key: 'busy', count: 5, error: 0, waitP99Ms: 1, holdP99Ms: 1 }],
      totals: { acquired: 1, contended: 1, timedOut: 0, lost: 0, queueFull: 0 },
    }),
    ttl: () => ttl(),
    nodes: () => [node('cache', { kind: 'cache' }), node(instance, { kind: 'coordinator' })],
    audit: () => ({ consistency: [], runs: [], next: [], openFindings: 3 }),
    outbox: () => ({ depth: 7, oldestMs: 1, deadLetters: 0, relayedTotal: 1, blocked: null }),
    ...changes,
  };
}
