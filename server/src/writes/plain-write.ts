/**
 * A write that takes no lock: `delete-after-write` (transaction with an outbox row, then a tombstone),
 * `delayed-double-delete` (the same, and a second outbox row that falls due later), `change-log` (transaction only: its
 * subscriber leaves the tombstone), `refresh` and `none` (transaction only, but for what hangs on their rows). The
 * outbox row is what cannot be lost (invariant W5): it is removed only after the tombstone, and until then the relay
 * will leave it.
 */
import type { CacheOutcome } from '@lockstep/shared';
import type { CoveringPosition, EntryStore } from '../cache/port.ts';
import type { AppliedRow, Refusal } from '../database/port.ts';
import {
  hasInvalidatedSiblings,
  invalidatesOwn,
  isCached,
  type Key,
  LockstepError,
  type Resource,
  rulesOf,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import { invalidateReached, invalidateWritten } from './cache-step.ts';
import { ifMatchOf, positioned, positionNow, receiptOf, timed, type WriteParts } from './parts.ts';
import { reachOf, ReachesStrict } from './reaching-write.ts';
import { refusalError } from './refusals.ts';
import { replay } from './replay.ts';

export async function plainWrite(
  parts: WriteParts,
  request: WriteRequest,
  phases: WritePhases,
): Promise<WriteReceipt> {
  const { key, change, idempotency } = request;
  const result = await timed(parts, phases, 'transactionMs', () =>
    parts.rows.write({
      key,
      change,
      outbox: hasOutbox(key.resource),
      ...secondDelete(parts, key.resource),
      ...reachOf(parts, key.resource),
      ...ifMatchOf(request),
      ...(idempotency === undefined ? {} : { idempotency }),
    }),
  );
  switch (result.status) {
    case 'applied': {
      const [cache, position] = await timed(parts, phases, 'publishMs', async () => {
        const covering = await positionNow(parts);
        await invalidateReached(parts, result.reached);
        return [await invalidate(parts, request, result, covering), covering] as const;
      });
      const rest = { cache, fence: null, waitMs: 0, ...positioned(position) };
      return receiptOf(request, result, rest);
    }
    case 'refused':
      await forgetChanged(parts.cache, key, result.refusal);
      if (idempotency !== undefined)
        await parts.rows.recordRefusal(key, idempotency, result.refusal);
      throw refusalError(key, result.refusal);
    case 'replayed':
      if (idempotency === undefined)
        throw new LockstepError('INTERNAL', 'A replay without an idempotency key.');
      return replay(parts, { ...request, idempotency }, result.record);
    case 'reaches':
      throw new ReachesStrict(result.keys);
    case 'fenced':
    case 'unverified':
      throw new LockstepError('INTERNAL', 'A write without a fence was fenced.');
  }
}

/**
 * Another program has changed the row: what is cached of it is of before, and its reader would be refused again and
 * again. An entry that stays because the cache does not answer is no worse than before.
 */
export async function forgetChanged(cache: EntryStore, key: Key, refusal: Refusal): Promise<void> {
  const isChanged = refusal.reason === 'version-mismatch' && refusal.currentTag !== undefined;
  if (isChanged && isCached(key.resource) && cache.available)
    await cache.invalidateMany([{ cacheKey: key.cacheKey, version: null }]);
}

/**
 * The entries of the others are never cached, or somebody else's to invalidate: the change log's subscriber, the next
 * refresh. What hangs on their rows is nobody else's, but where the change log does all of it.
 */
export const hasOutbox = (resource: Resource): boolean =>
  invalidatesOwn(resource) ||
  hasInvalidatedSiblings(resource) ||
  (rulesOf(resource).relatedBy === 'writer' && resource.invalidates.length > 0);

export function secondDelete(
  { secondDeleteDelay }: WriteParts,
  resource: Resource,
): { secondDeleteAfterMs?: number } {
  if (resource.shared === undefined && !rulesOf(resource).hasSecondDelete) return {};
  const delays = [resource, ...(resource.shared?.siblings ?? [])]
    .filter((each) => rulesOf(each).hasSecondDelete)
    .map((each) => secondDeleteDelay.afterMs(each));
  return delays.length === 0 ? {} : { secondDeleteAfterMs: Math.max(...delays) };
}

export async function invalidate(
  { cache, outbox }: WriteParts,
  { key }: Pick<WriteRequest, 'key'>,
  { version, related, outboxId }: AppliedRow,
  position?: CoveringPosition,
): Promise<CacheOutcome> {
  const { receipt } = rulesOf(key.resource);
  if (outboxId === null) return receipt.untouched;
  const written = { version, related, position };
  if (!(await invalidateWritten(cache, key, written))) {
    outbox.wake();
    return 'pending';
  }
  outbox.finished(outboxId);
  return receipt.invalidated;
}
