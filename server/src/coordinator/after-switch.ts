/** Decides whether a call can be tried again after its resources were switched. Pure. */
import { type Change, LockstepError, type Resource, type WriteRequest } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';

/** How long a caller is willing to wait. */
export type Bound = Pick<WriteRequest, 'waitTimeoutMs'>;

/** The rest of the time that a caller allows; empty if it sets no bound. */
export function timeLeft(
  { waitTimeoutMs }: Bound,
  startedAtMs: number,
  clock: Runtime['clock'],
): Bound {
  if (waitTimeoutMs === undefined) return {};
  return { waitTimeoutMs: Math.max(1, startedAtMs + waitTimeoutMs - clock.nowMs()) };
}

/** @throws LockstepError `INVALID` if the write names a column that the resource no longer has */
export function assertColumns(
  { name: resource, columns }: Resource,
  write: { change?: Change },
): void {
  const { change } = write;
  if (change === undefined || change.op === 'delete') return;
  const named = [
    ...Object.keys(change.set),
    ...(change.op === 'patch' ? Object.keys(change.increment) : []),
  ];
  const lost = named.find((name) => !columns.some((column) => column.name === name));
  if (lost === undefined) return;
  const text = `${resource} has no column ${lost} any more; nothing was applied.`;
  throw new LockstepError('INVALID', text);
}

/** Whether this coordinator now has the resource at a later epoch. */
export function isFollowed(
  { name, epoch }: Resource,
  resources: ReadonlyMap<string, Resource>,
): boolean {
  const now = resources.get(name)?.epoch;
  return epoch !== undefined && now !== undefined && now > epoch;
}
