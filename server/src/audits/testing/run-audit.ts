import type { AuditReport } from '@lockstep/shared';
import type { Resource } from '../../domain/index.ts';
import type { Audits } from '../service.ts';
import { rowOf, type MemoryWorld } from './memory-world.ts';

type Request = Partial<Parameters<Audits['run']>[1]>;

/** Runs an audit to its end, letting time pass. */
export async function audit(
  world: MemoryWorld,
  request: Request = {},
  resource: Resource = world.resource,
): Promise<AuditReport> {
  const running = world.audits.run(resource, { trigger: 'demand', ...request });
  let ended = false;
  const end = (): boolean => (ended = true);
  running.then(end, end);
  await world.runtime.advanceUntil(() => ended, 300_000, 50);
  return running;
}

/** One key of each class, and one that is well. */
export function withEachClass(world: MemoryWorld): void {
  for (let id = 1; id <= 6; id += 1) world.put(id);
  world.rows.set('1', { version: 1, row: rowOf(1, '999') });
  world.rows.delete('2');
  world.cacheValue(3, 0, null);
  world.cached.set('account:4', { text: 'not an entry', ttlMs: 1_000 });
  world.cacheValue(5, 1, rowOf(5), null);
}
