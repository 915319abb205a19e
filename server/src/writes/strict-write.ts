/**
 * A strict write (docs/SPEC.md, section "Strict write"):
 *
 *   queue and lock -> intent (mints the fence) -> fenced transaction -> publish -> acknowledge
 *
 * Invariants kept here:
 *   W1  an intent stands from before the transaction is sent until the publish: this holder's, or the next one's
 *   W2  a refused write stores its fence in the database before its intent is withdrawn
 *   W3  a write whose outcome is unknown leaves its intent; a recovery resolves it
 *   W10 with `verifyIntent`: the intent stands when the transaction commits, or the write is rolled back and tried anew
 *   W4  `not_applied` is answered only where nothing was sent, or the database said that it rolled back
 */
import type { CacheOutcome } from '@lockstep/shared';
import type { Intent } from '../cache/port.ts';
import type { AppliedRow, Refusal, RowWriteResult } from '../database/port.ts';
import {
  cacheIsAway,
  type Key,
  LockstepError,
  rulesOf,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import type { HeldLock } from '../locks/port.ts';
import { invalidateReached } from './cache-step.ts';
import { placeNext } from './next-intent.ts';
import { ifMatchOf, positioned, positionNow, receiptOf, timed, type WriteParts } from './parts.ts';
import { hasOutbox, invalidate, secondDelete } from './plain-write.ts';
import { reachOf, ReachesStrict } from './reaching-write.ts';
import { refusalError } from './refusals.ts';
import { replay } from './replay.ts';
import {
  areIntentsThere,
  intentsOf,
  placeIntents,
  publishIntents,
  type RowIntents,
  withdrawIntents,
} from './row-intents.ts';

/** How often one holder mints a fence anew when the database has seen a higher one (the cache forgot). */
const MAX_MINTS = 3;

export async function strictWrite(
  parts: WriteParts,
  request: WriteRequest,
  phases: WritePhases,
): Promise<WriteReceipt> {
  if (!parts.cache.available) throw cacheIsAway(request.key.resource);
  const { waitTimeoutMs } = request;
  const lock = await parts.locks.acquire(request.key, {
    purpose: 'write',
    // What the previous holder leaves stands on one entry alone.
    acceptsIntent: request.key.resource.shared === undefined,
    ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }),
  });
  phases.queueMs = lock.queueMs;
  phases.lockMs = lock.waitMs - lock.queueMs;
  try {
    return await writeUnderLock(parts, lock, request, phases);
  } finally {
    lock.release();
  }
}

async function writeUnderLock(
  parts: WriteParts,
  lock: HeldLock,
  request: WriteRequest,
  phases: WritePhases,
): Promise<WriteReceipt> {
  let aboveFence = 0;
  for (let mint = 0; mint < MAX_MINTS; mint += 1) {
    const intents = await intentsFor(parts, lock, request, mint === 0, aboveFence, phases);
    const { fence } = intents;
    lock.noteFence(fence);
    const { result, next } = await sendTransaction(parts, lock, request, intents, phases);
    if (result.status === 'unverified') {
      parts.telemetry.emit({ type: 'intent-lost', key: request.key, fence });
      aboveFence = fence;
      continue;
    }
    if (result.status !== 'fenced')
      return settle(parts, lock, request, { intents, next }, result, phases);
    parts.telemetry.emit({
      type: 'write-fenced',
      key: request.key,
      fence,
      storedFence: result.storedFence,
    });
    aboveFence = result.storedFence;
  }
  parts.recovery.recoverSoon(request.key);
  throw new LockstepError('FENCED', 'Newer holders of this key came in between each time.');
}

/** Step 2, or what the previous holder did of it for this one. */
async function intentsFor(
  parts: WriteParts,
  lock: HeldLock,
  request: WriteRequest,
  isFirst: boolean,
  aboveFence: number,
  phases: WritePhases,
): Promise<RowIntents> {
  const { key } = request;
  if (isFirst && lock.handedOverIntent !== null)
    return intentsOf([{ key, intent: lock.handedOverIntent }]);
  lock.assertHeld();
  return timed(parts, phases, 'intentMs', () => placeIntents(parts, key, aboveFence));
}

interface Sent {
  result: RowWriteResult;
  /** The next write's intent, which has replaced this one's; null where none was put. */
  next: Intent | null;
}

/** Step 3. Where it fails after the intent was placed, a recovery is sent after it. */
async function sendTransaction(
  parts: WriteParts,
  lock: HeldLock,
  request: WriteRequest,
  intents: RowIntents,
  phases: WritePhases,
): Promise<Sent> {
  const { key, change, idempotency } = request;
  try {
    lock.assertHeld();
    const sent = timed(parts, phases, 'transactionMs', () =>
      parts.rows.write({
        key,
        change,
        fence: intents.fence,
        outbox: hasOutbox(key.resource),
        ...secondDelete(parts, key.resource),
        ...reachOf(parts, key.resource),
        ...ifMatchOf(request),
        ...(idempotency === undefined ? {} : { idempotency }),
        ...(parts.verifyIntent === true ? { verify: () => areIntentsThere(parts, intents) } : {}),
      }),
    );
    const [result, next] = await Promise.all([sent, placeNext(parts, key, lock, intents.fence)]);
    return { result, next };
  } catch (error) {
    parts.recovery.recoverSoon(request.key);
    throw error;
  }
}

async function settle(
  parts: WriteParts,
  lock: HeldLock,
  request: WriteRequest,
  { intents, next }: { intents: RowIntents; next: Intent | null },
  result: Exclude<RowWriteResult, { status: 'fenced' | 'unverified' }>,
  phases: WritePhases,
): Promise<WriteReceipt> {
  const standing = next === null ? intents : intentsOf([{ key: request.key, intent: next }]);
  switch (result.status) {
    case 'applied': {
      const handedOver = next !== null && lock.canHandOverIntent() ? next : undefined;
      const publishing = timed(parts, phases, 'publishMs', () =>
        handedOver === undefined
          ? publish(parts, request, standing, result, next === null ? 'value' : 'tombstone')
          : invalidateBeside(parts, request.key, result, 'invalidated'),
      );
      // The next holder may begin: its intent stands already, or follows this publish on the same connection, and were
      // it to overtake it, the publish would leave it alone (E5).
      lock.release(handedOver);
      const [cache, position] = await Promise.all([
        publishing,
        positionNow(parts),
        result.reached === undefined ? undefined : invalidateReached(parts, result.reached),
      ]);
      const rest = { cache, fence: intents.fence, waitMs: lock.waitMs, ...positioned(position) };
      return receiptOf(request, result, rest);
    }
    case 'refused':
      await withdraw(parts, request, standing, result.refusal);
      throw refusalError(request.key, result.refusal);
    case 'reaches':
      await withdraw(parts, request, standing, null);
      throw new ReachesStrict(result.keys);
    case 'replayed': {
      await withdraw(parts, request, standing, null);
      const { idempotency } = request;
      if (idempotency === undefined)
        throw new LockstepError('INTERNAL', 'A replay without an idempotency key.');
      return replay(parts, { ...request, idempotency }, result.record);
    }
  }
}

/**
 * Step 4, and what is related to the row. A `tombstone` where the intent is not the one that the transaction began
 * under: an invalidation may have marked that one (E6).
 */
export async function publish(
  parts: WriteParts,
  { key }: Pick<WriteRequest, 'key'>,
  intents: RowIntents,
  applied: AppliedRow,
  leave: 'value' | 'tombstone' = 'value',
): Promise<CacheOutcome> {
  const outcome = await publishIntents(parts, key, intents, applied, leave);
  return invalidateBeside(parts, key, applied, outcome);
}

/**
 * What the write makes wrong besides the strict entries.
 * @param own what is true of the key's own entry; null where it is not strict, and is invalidated here
 */
async function invalidateBeside(
  parts: WriteParts,
  key: Key,
  applied: AppliedRow,
  own: CacheOutcome | null,
): Promise<CacheOutcome> {
  if (applied.outboxId === null) return own ?? rulesOf(key.resource).receipt.untouched;
  const outcome = await invalidate(parts, { key }, applied);
  return own === null || outcome === 'pending' ? outcome : own;
}

/** W2: the fence first, then the intent. Where either fails the intent stays and a recovery resolves it. */
export async function withdraw(
  parts: WriteParts,
  request: Pick<WriteRequest, 'key' | 'idempotency'>,
  intents: RowIntents,
  refusal: Refusal | null,
): Promise<void> {
  const { key, idempotency } = request;
  const refused =
    refusal !== null && idempotency !== undefined ? { idempotency, refusal } : undefined;
  try {
    const raised = await parts.rows.raiseFence(key, intents.fence, refused);
    if (raised.status === 'raised') await withdrawIntents(parts, intents, raised.row.version);
  } catch (error) {
    parts.runtime.log.debug(
      { err: error, resource: key.resource.name },
      'an intent stays for recovery',
    );
    parts.recovery.recoverSoon(request.key);
  }
}
