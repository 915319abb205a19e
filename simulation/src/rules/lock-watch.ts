import type { TelemetryEvent } from '../../../server/src/domain/index.ts';
import type { Plan } from '../plan/plan.ts';
import type { CoordinatorProcess } from '../world/coordinator-process.ts';
import type { World } from '../world/world.ts';
import type { Referee } from './referee.ts';

/**
 * Faults under which Redlock promises nothing. All other rules must hold nevertheless; only this one is not checked.
 */
const BREAKS_LOCKS = new Set(['forget', 'expire-locks', 'drift', 'jump']);

export const locksAreSound = ({ faults }: Plan): boolean =>
  !faults.some(({ kind }) => BREAKS_LOCKS.has(kind));

/** Checks, whenever a process gets a lock, that no other process considers it proved held. */
export function watchLocks(
  world: World,
  referee: Referee,
): (process: CoordinatorProcess, event: TelemetryEvent) => void {
  if (!locksAreSound(world.plan)) return () => {};
  return (winner, event) => {
    if (event.type !== 'lock-acquired') return;
    const { resource, text } = event.key;
    for (const other of world.processes()) {
      if (other === winner) continue;
      const held = other.engine.locks
        .snapshot()
        .held.find((lock) => lock.resource === resource.name && lock.key === text);
      if (held === undefined || held.leftMs <= 0) continue;
      const message = `${winner.name} got the lock, and ${other.name} has it for ${held.leftMs.toFixed(1)} ms more`;
      referee.report('L2', event.key.cacheKey, message);
    }
  };
}
