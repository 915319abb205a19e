/** The scenarios: which weather each one has, and what it is there to show. */
import type { FaultResource } from '../cluster/tables.ts';
import type { Doing } from '../load/mix.ts';
import { FAULT_KINDS, type FaultKind } from '../weather/fault.ts';
import type { Weather } from '../weather/plan.ts';

export interface Scenario {
  /** What holds in it, with the numbers of docs/SPEC.md. */
  title: string;
  weather: Weather;
  mix?: Partial<Record<Doing, number>>;
  /** Share of the operations that go to hot keys. */
  hotShare?: number;
  /** Hot keys of each resource. */
  hotKeys?: number;
  /** Only these. */
  resources?: readonly FaultResource[];
  /** Follow who removes which lock. */
  watchLocks?: boolean;
}

const often: Pick<Weather, 'gapMs' | 'atOnce'> = { gapMs: [150, 700], atOnce: 3 };
const seldom: Pick<Weather, 'gapMs' | 'atOnce'> = { gapMs: [600, 1_600], atOnce: 2 };

export const SCENARIOS = {
  'coordinators-killed': {
    title: 'coordinators killed: nothing acknowledged is lost, no invalidation either (W4, W5, R6)',
    weather: { kinds: ['coordinator-kill'], gapMs: [1_000, 2_200], atOnce: 1 },
    mix: { fillAndWrite: 20 },
  },
  'coordinators-paused': {
    title: 'coordinators paused past the lock’s TTL: a superseded turn cannot commit (W7, X1, X2)',
    weather: { kinds: ['coordinator-pause'], ...seldom },
  },
  'lock-nodes': {
    title: 'lock nodes killed, paused and wiped: safety does not rest on the lock (W7, W8)',
    weather: { kinds: ['lock-kill', 'lock-pause', 'lock-wipe'], ...often },
  },
  'locks-expire': {
    title: 'locks expire early: turns of one key overlap, and versions stay one chain (W7, W8)',
    weather: { kinds: ['lock-expire'], gapMs: [200, 800], atOnce: 1 },
    watchLocks: true,
  },
  'cache-killed': {
    title: 'the cache killed and restarted: intents stay, no read goes back (E3, E5, W5, R6)',
    weather: { kinds: ['cache-kill'], gapMs: [900, 2_000], atOnce: 1 },
  },
  'cache-paused': {
    title:
      'the cache paused: strict writes refuse, all else goes on, and answers stay true (W4, W9)',
    weather: { kinds: ['cache-pause'], gapMs: [900, 2_200], atOnce: 1 },
  },
  'database-killed': {
    title:
      'the database killed: an unknown outcome is called unknown, repeats count once (W3, W4, W6)',
    weather: { kinds: ['database-kill'], gapMs: [1_000, 2_500], atOnce: 1 },
  },
  'database-paused': {
    title: 'the database paused: calls are bounded, late commits are fenced or counted (W3, W7)',
    weather: { kinds: ['database-pause'], gapMs: [900, 2_200], atOnce: 1 },
  },
  'links-slow': {
    title:
      'links slow, thin and sliced: no fill below an invalidation, no publish below a newer one (E1, E2, E5, R7)',
    weather: { kinds: ['link-slow', 'link-thin', 'link-slice'], ...often },
  },
  'links-cut': {
    title:
      'links cut in each direction: what arrives late changes nothing that was told (W3, W7, W9, R6)',
    weather: { kinds: ['link-cut', 'link-black-hole'], ...often },
  },
  'links-reset': {
    title: 'links reset, refused and hung up: outcomes are true, repeats count once (W4, W6)',
    weather: { kinds: ['link-reset', 'link-hang-up', 'link-refuse'], ...often },
  },
  'clocks-jump': {
    title: 'wall clocks of coordinators jump by hours: no promise depends on them (E4, W7)',
    weather: { kinds: ['clock-jump', 'coordinator-pause', 'lock-expire'], ...seldom },
  },
  everything: {
    title: 'everything at once: all of it holds (W3, W4, W6, W8, W9, W11, R6, R7, X1, X5)',
    weather: { kinds: FAULT_KINDS, ...often },
  },
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;

/** Whether libfaketime is needed: its scenario proves nothing without. */
export const needsClocks = ({ weather }: Scenario): boolean => {
  const kinds: readonly FaultKind[] = weather.kinds;
  return kinds[0] === 'clock-jump';
};
