import {
  covers,
  hasHeader,
  invalidField,
  isInvalidatedByOthers,
  isStrict,
  type Resource,
  UNKNOWN_POSITION,
} from '../domain/index.ts';
import type { Replicas } from '../replicas/port.ts';
import type { ReadAnswer, Seen } from './port.ts';

/** Whether entries and answers of this resource carry log positions. */
export const isPositioned = (resource: Resource): boolean =>
  hasHeader(resource) && isInvalidatedByOthers(resource);

/** Whether an answer has everything that its caller has seen. An answer of the primary does: it was read after the call. */
export function hasSeen(resource: Resource, answer: ReadAnswer, seen: Seen | undefined): boolean {
  if (seen === undefined || answer.source === 'primary' || isStrict(resource)) return true;
  const { entries, databases, writtenVersion } = seen;
  const isCached = answer.source === 'cache';
  if (isCached && writtenVersion !== undefined && answer.version >= writtenVersion) return true;
  const needed = isCached ? entries : databases;
  if (needed === null) return true;
  return answer.reached !== undefined && covers(answer.reached, needed);
}

/** @throws LockstepError `INVALID` if the caller has seen a log position that this database has not reached */
export async function refuseUnseeable(seen: Seen, replicas: Replicas): Promise<void> {
  const { databases } = seen;
  if (databases === null || databases === UNKNOWN_POSITION) return;
  const latest = replicas.latest();
  if (latest !== null && covers(latest, databases)) return;
  const current = await replicas.current();
  if (current === null || covers(current, databases)) return;
  throw invalidField(
    'token',
    'names a log position that the database has not come to: begin without a token',
  );
}
