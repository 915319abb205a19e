/**
 * A strict write (docs/SPEC.md, section "Strict write"):
 *
 *   queue and lock -> intent (mints the fence) -> fenced transaction -> publish -> acknowledge
 *
 * Invariants kept here:
 *   W1  an intent stands from before the transaction is sent until the publish: this holder's, or the next one's
 *   W2  a refused write stores its fence in the database before its intent is withdrawn
 *   W3  a write whose outcome is unknown leaves its intent; a recovery resolves it
 *   W10 with `verifyIntent`: the intent stands when the transaction commits, or the write is rolled back and tried again
 *   W4  `not_applied` is answered only if nothing was sent, or the database confirmed that it rolled back
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
import { invalidate, invalidateReached } from './cache-step.ts';
import {
  areIntentsThere,
  intentsOf,
  placeIntents,
  placeNext,
  publishIntents,
  type RowIntents,
  withdrawIntents,
} from './intents.ts';
import { timed, type WriteServiceOptions } from './options.ts';
import { reachOf, ReachesStrict } from './reaching-write.ts';
import { positioned, positionNow, receiptOf, replay } from './receipts.ts';
import { refusalError } from './refusals.ts';
import { hasOutbox, ifMatchOf, secondDelete } from './row-write.ts';

/** How many fences one holder tries. The database has seen a higher one only if the cache lost an entry. */
const MAX_MINTS = 3;

export async function strictWrite(
  options: WriteServiceOptions,
  request: WriteRequest,
  phases: WritePhases,
): Promise<WriteReceipt> {
  if (!options.cache.available) throw cacheIsAway(request.key.resource);
  const { waitTimeoutMs } = request;
  const lock = await options.locks.acquire(request.key, {
    purpose: 'write',
    // A holder hands over one intent; a shared row needs one on each of its strict entries.
    acceptsIntent: request.key.resource.shared === undefined,
    ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }),
  });
  phases.queueMs = lock.queueMs;
  phases.lockMs = lock.waitMs - lock.queueMs;
  try {
    return await writeUnderLock(options, lock, request, phases);
  } finally {
    lock.release();
  }
}

async function writeUnderLock(
  options: WriteServiceOptions,
  lock: HeldLock,
  request: WriteRequest,
  phases: WritePhases,
): Promise<WriteReceipt> {
  let aboveFence = 0;
  for (let mint = 0; mint < MAX_MINTS; mint += 1) {
    const intents = await intentsFor(options, lock, request, mint === 0, aboveFence, phases);
    const { fence } = intents;
    lock.noteFence(fence);
    const { result, next } = await sendTransaction(options, lock, request, intents, phases);
    if (result.status === 'unverified') {
      options.telemetry.emit({ type: 'intent-lost', key: request.key, fence });
      aboveFence = fence;
      continue;
    }
    if (result.status !== 'fenced')
      return conclude(options, lock, request, { intents, next }, result, phases);
    options.telemetry.emit({
      type: 'write-fenced',
      key: request.key,
      fence,
      storedFence: result.storedFence,
    });
    aboveFence = result.storedFence;
  }
  options.recovery.recoverSoon(request.key);
  throw new LockstepError('FENCED', 'Newer holders of this key came in between each time.');
}

/** Step 2, unless the previous holder did it for this one. */
async function intentsFor(
  options: WriteServiceOptions,
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
  return timed(options, phases, 'intentMs', () => placeIntents(options, key, aboveFence));
}

interface Sent {
  result: RowWriteResult;
  /** The next write's intent, which has replaced this one's; null where none was placed. */
  next: Intent | null;
}

/** Step 3. If it fails, a recovery resolves the intents. */
async function sendTransaction(
  options: WriteServiceOptions,
  lock: HeldLock,
  request: WriteRequest,
  intents: RowIntents,
  phases: WritePhases,
): Promise<Sent> {
  const { key, change, idempotency } = request;
  try {
    lock.assertHeld();
    const sent = timed(options, phases, 'transactionMs', () =>
      options.rows.write({
        key,
        change,
        fence: intents.fence,
        outbox: hasOutbox(key.resource),
        ...secondDelete(options, key.resource),
        ...reachOf(options, key.resource),
        ...ifMatchOf(request),
        ...(idempotency === undefined ? {} : { idempotency }),
        ...(options.verifyIntent === true
          ? { verify: () => areIntentsThere(options, intents) }
          : {}),
      }),
    );
    const [result, next] = await Promise.all([sent, placeNext(options, key, lock, intents.fence)]);
    return { result, next };
  } catch (error) {
    options.recovery.recoverSoon(request.key);
    throw error;
  }
}

async function conclude(
  options: WriteServiceOptions,
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
      const publishing = timed(options, phases, 'publishMs', () =>
        handedOver === undefined
          ? publish(options, request, standing, result, next === null ? 'value' : 'tombstone')
          : invalidateBeside(options, request.key, result, 'invalidated'),
      );
      // The next holder may begin. Its intent stands already, or it follows this publish on the same connection. Even
      // if it overtook the publish, the publish would leave it alone (E5).
      lock.release(handedOver);
      const [cache, position] = await Promise.all([
        publishing,
        positionNow(options),
        result.reached === undefined ? undefined : invalidateReached(options, result.reached),
      ]);
      const rest = { cache, fence: intents.fence, waitMs: lock.waitMs, ...positioned(position) };
      return receiptOf(request, result, rest);
    }
    case 'refused':
      await withdraw(options, request, standing, result.refusal);
      throw refusalError(request.key, result.refusal);
    case 'reaches':
      await withdraw(options, request, standing, null);
      throw new ReachesStrict(result.keys);
    case 'replayed': {
      await withdraw(options, request, standing, null);
      const { idempotency } = request;
      if (idempotency === undefined)
        throw new LockstepError('INTERNAL', 'A replay without an idempotency key.');
      return replay(options, { ...request, idempotency }, result.record);
    }
  }
}

/**
 * Step 4, and the invalidation of everything else that the write makes wrong.
 * @param leave `tombstone` if the transaction began under another intent, since an invalidation may have marked that
 *   one (E6)
 */
export async function publish(
  options: WriteServiceOptions,
  { key }: Pick<WriteRequest, 'key'>,
  intents: RowIntents,
  applied: AppliedRow,
  leave: 'value' | 'tombstone' = 'value',
): Promise<CacheOutcome> {
  const outcome = await publishIntents(options, key, intents, applied, leave);
  return invalidateBeside(options, key, applied, outcome);
}

/**
 * Invalidates what the write makes wrong besides the strict entries.
 * @param own what is true of the key's own entry; null if it is not strict, and so is invalidated here
 */
async function invalidateBeside(
  options: WriteServiceOptions,
  key: Key,
  applied: AppliedRow,
  own: CacheOutcome | null,
): Promise<CacheOutcome> {
  if (applied.outboxId === null) return own ?? rulesOf(key.resource).receipt.untouched;
  const outcome = await invalidate(options, key, applied);
  return own === null || outcome === 'pending' ? outcome : own;
}

/** W2: stores the fence first, then removes the intents. If either fails, the intents stay and a recovery resolves them. */
export async function withdraw(
  options: WriteServiceOptions,
  request: Pick<WriteRequest, 'key' | 'idempotency'>,
  intents: RowIntents,
  refusal: Refusal | null,
): Promise<void> {
  const { key, idempotency } = request;
  const refused =
    refusal !== null && idempotency !== undefined ? { idempotency, refusal } : undefined;
  try {
    const raised = await options.rows.raiseFence(key, intents.fence, refused);
    if (raised.status === 'raised') await withdrawIntents(options, intents, raised.row.version);
  } catch (error) {
    options.runtime.log.debug(
      { err: error, resource: key.resource.name },
      'an intent stays for recovery',
    );
    options.recovery.recoverSoon(request.key);
  }
}
