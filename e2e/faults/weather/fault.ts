import type { Direction } from '@lockstep/testkit/proxy/conditions';
import type { ServerName } from '../cluster/cluster.ts';

/** What can go wrong. */
export const FAULT_KINDS = [
  'coordinator-kill',
  'coordinator-pause',
  'clock-jump',
  'lock-kill',
  'lock-pause',
  'lock-wipe',
  'lock-expire',
  'cache-kill',
  'cache-pause',
  'database-kill',
  'database-pause',
  'link-slow',
  'link-thin',
  'link-slice',
  'link-cut',
  'link-black-hole',
  'link-refuse',
  'link-reset',
  'link-hang-up',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** The one thing that a fault befalls; one fault at a time for each. Coordinators are numbered from 0. */
export type Target =
  | { type: 'coordinator'; index: number }
  | { type: 'server'; name: ServerName }
  | { type: 'locks' }
  | { type: 'link'; index: number; server: ServerName; direction: Direction | 'both' };

/** One fault of a schedule: all of it is decided before the run begins. */
export interface PlannedFault {
  kind: FaultKind;
  target: Target;
  /** Since the run's beginning. */
  atMs: number;
  forMs: number;
  /** How bad, as its kind reads it: ms of latency, seconds of a clock's jump, bytes a second. */
  amount: number;
}

export function targetName(target: Target): string {
  switch (target.type) {
    case 'coordinator':
      return `coordinator ${target.index + 1}`;
    case 'server':
      return target.name;
    case 'locks':
      return 'every lock node';
    case 'link': {
      const arrow = { up: '->', down: '<-', both: '<->' }[target.direction];
      return `coordinator ${target.index + 1} ${arrow} ${target.server}`;
    }
  }
}

export function faultLine({ kind, target, atMs, forMs, amount }: PlannedFault): string {
  const when = `${(atMs / 1000).toFixed(2).padStart(7)} s`;
  const size = amount === 0 ? '' : ` (${Math.round(amount)})`;
  return `${when}  ${kind}${size}: ${targetName(target)}, for ${Math.round(forMs)} ms`;
}
