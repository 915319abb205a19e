/**
 * A strict write (docs/SPEC.md, section "Strict write"):
 *
 *   queue and lock -> intent (mints the fence) -> fenced transaction -> publish -> acknowledge
 *
 * One that waits behind another write of its key in this process may go along with that one (`strict-hold.ts`).
 */
import {
  cacheIsAway,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import type { WriteServiceOptions } from './options.ts';
import { StrictMember } from './strict-member.ts';
import { mayGoAlong, StrictHold } from './strict-hold.ts';

export async function strictWrite(
  options: WriteServiceOptions,
  request: WriteRequest,
  phases: WritePhases,
): Promise<WriteReceipt> {
  const { key, waitTimeoutMs } = request;
  if (!options.cache.available) throw cacheIsAway(key.resource);
  const member = new StrictMember(request, phases);
  const asked = {
    purpose: 'write',
    // A holder hands over one intent; a shared row needs one on each of its strict entries.
    acceptsIntent: key.resource.shared === undefined,
    ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }),
  } as const;
  const lock = mayGoAlong(options, request)
    ? await options.locks.acquireOrFollow(key, asked, member)
    : await options.locks.acquire(key, asked);
  if (lock === null) return member.receipt();
  member.waitMs = lock.waitMs;
  phases.queueMs = lock.queueMs;
  phases.lockMs = lock.waitMs - lock.queueMs;
  try {
    await new StrictHold(options, lock, member).run();
  } finally {
    lock.release();
  }
  return member.receipt();
}
