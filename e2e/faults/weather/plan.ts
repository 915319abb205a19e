/** A schedule of faults that a seed decides, before the run begins. */
import { LOCK_TTL_MS, type ServerName } from '../cluster/cluster.ts';
import type { Direction } from '@lockstep/testkit/proxy/conditions';
import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import { type FaultKind, type PlannedFault, type Target, targetName } from './fault.ts';

export interface Weather {
  /** One of these at a time is picked; what stands twice comes up twice as often. */
  kinds: readonly FaultKind[];
  /** From the beginning to the end, besides. */
  throughout?: readonly FaultKind[];
  /** Links to these servers only. Default: all of them. */
  servers?: readonly ServerName[];
  /** Links of these coordinators only, numbered from 0. */
  coordinators?: readonly number[];
  /** Links in these directions only. */
  directions?: readonly (Direction | 'both')[];
  /** Milliseconds between the beginnings of two faults. */
  gapMs: readonly [min: number, max: number];
  /** Most faults at one moment. */
  atOnce: number;
  /** How much slower slow links are than usual. Default 1. */
  badness?: number;
}

const FIRST_AT_MS = 400;
const COORDINATORS: readonly number[] = [0, 1, 2];
const LOCK_NODES: readonly ServerName[] = ['lock 1', 'lock 2', 'lock 3'];
/** The two that hold the data come up more often than a single lock node. */
const LINKED: readonly ServerName[] = ['database', 'database', 'cache', 'cache', ...LOCK_NODES];
const DIRECTIONS: readonly (Direction | 'both')[] = ['up', 'down', 'both'];

/** How long each kind lasts, in ms; a pause outlives the lock's TTL. */
const LASTS_MS: Record<FaultKind, readonly [min: number, max: number]> = {
  'coordinator-kill': [100, 900],
  'coordinator-pause': [LOCK_TTL_MS + 200, LOCK_TTL_MS + 1_400],
  'clock-jump': [1_500, 3_000],
  'lock-kill': [200, 1_200],
  'lock-pause': [300, 2_000],
  'lock-wipe': [0, 0],
  'lock-expire': [400, 1_500],
  'cache-kill': [100, 700],
  'cache-pause': [200, 1_500],
  'database-kill': [100, 500],
  'database-pause': [200, 1_500],
  'link-slow': [500, 2_500],
  'link-thin': [500, 2_000],
  'link-slice': [500, 2_000],
  'link-cut': [300, LOCK_TTL_MS + 1_000],
  'link-black-hole': [300, 1_500],
  'link-refuse': [200, 1_000],
  'link-reset': [0, 0],
  'link-hang-up': [0, 0],
};

/** How bad each kind is, in its own unit; 0 where it knows no degrees. */
const AMOUNTS: Partial<Record<FaultKind, readonly [min: number, max: number]>> = {
  'clock-jump': [-86_400, 86_400],
  'link-slow': [10, 120],
  'link-thin': [4_000, 40_000],
  'link-slice': [1, 40],
};

export function planFaults(
  weather: Weather,
  durationMs: number,
  random: SeededRandom,
): PlannedFault[] {
  const plan: PlannedFault[] = (weather.throughout ?? []).map((kind) => ({
    kind,
    target: targetOf(kind, weather, random),
    atMs: 0,
    forMs: durationMs,
    amount: amountOf(kind, weather, random),
  }));
  const most = weather.atOnce + plan.length;
  const [minGapMs, maxGapMs] = weather.gapMs;
  let atMs = FIRST_AT_MS;
  while (atMs < durationMs) {
    const kind = random.pick(weather.kinds);
    const target = targetOf(kind, weather, random);
    const forMs = random.between(...LASTS_MS[kind]);
    const amount = amountOf(kind, weather, random);
    const active = plan.filter((fault) => fault.atMs + fault.forMs > atMs);
    const isTaken = forMs > 0 && active.some((fault) => excludes(fault.target, target));
    if (!isTaken && active.length < most)
      plan.push({ kind, target, atMs, forMs: Math.min(forMs, durationMs - atMs), amount });
    atMs += random.between(minGapMs, maxGapMs);
  }
  return plan;
}

function amountOf(kind: FaultKind, { badness = 1 }: Weather, random: SeededRandom): number {
  return random.between(...(AMOUNTS[kind] ?? [0, 0])) * (kind === 'link-slow' ? badness : 1);
}

function targetOf(kind: FaultKind, weather: Weather, random: SeededRandom): Target {
  if (kind.startsWith('coordinator-') || kind === 'clock-jump')
    return { type: 'coordinator', index: random.pick(COORDINATORS) };
  if (kind === 'lock-expire') return { type: 'locks' };
  if (kind.startsWith('lock-')) return { type: 'server', name: random.pick(LOCK_NODES) };
  if (kind.startsWith('cache-')) return { type: 'server', name: 'cache' };
  if (kind.startsWith('database-')) return { type: 'server', name: 'database' };
  return {
    type: 'link',
    index: random.pick(weather.coordinators ?? COORDINATORS),
    server: random.pick(weather.servers ?? LINKED),
    direction: random.pick(weather.directions ?? DIRECTIONS),
  };
}

/** One direction of a link at a time: two faults of one link would undo one another. */
function excludes(a: Target, b: Target): boolean {
  if (a.type === 'link' && b.type === 'link') return a.index === b.index && a.server === b.server;
  return targetName(a) === targetName(b);
}
