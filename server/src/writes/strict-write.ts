/**
 * A strict write (docs/SPEC.md, section "Strict write"):
 *
 *   queue and lock -> intent (mints the fence) -> fenced transaction -> publish -> acknowledge
 *
 * Invariants kept here:
 *   W1  an intent stands from before the transaction is sent until the publish: this turn's, or the next one's
 *   W2  a refused write stores its fence in the database before its intent is withdrawn
 *   W3  a write whose outcome is unknown leaves its intent; a recovery resolves it
 *   W10 with `verifyIntent`: the intent stands when the transaction commits, or the write is rolled back and tried anew
 *   W4  `not_applied` is answered only where nothing was sent, or the database said that it rolled back
 */
import type { CacheOutcome } from '@lockstep/shared';
import type { Intent } from '../cache/port.ts';
import type { AppliedRow, Refusal, RowWriteResult } from '../database/port.ts';
import {
  type Key,
  LockstepError,
  valueTtlMs,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import type { Turn } from '../locks/port.ts';
import { invalidateReached, invalidateRelated } from './cache-step.ts';
import { placeNext } from './next-intent.ts';
import { ifMatchOf, positioned, positionNow, receiptOf, timed, type WriteParts } from './parts.ts';
import { reachOf, ReachesStrict } from './reaching-write.ts';
import { refusalError } from './refusals.ts';
import { replay } from './replay.ts';

/** How often one turn mints a fence anew when the database has seen a higher one (the cache forgot). */
const MAX_MINTS = 3;

export async function strictWrite(
  parts: WriteParts,
  request: WriteRequest,
  phases: WritePhases,
): Promise<WriteReceipt> {
  if (!parts.cache.available)
    throw new LockstepError('CACHE_UNAVAILABLE', 'The cache does not answer.');
  const { waitTimeoutMs } = request;
  const turn = await parts.locks.acquire(request.key, {
    purpose: 'write',
    inherits: true,
    ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }),
  });
  phases.queueMs = turn.queueMs;
  phases.lockMs = turn.waitMs - turn.queueMs;
  try {
    return await writeUnderTurn(parts, turn, request, phases);
  } finally {
    turn.release();
  }
}

async function writeUnderTurn(
  parts: WriteParts,
  turn: Turn,
  request: WriteRequest,
  phases: WritePhases,
): Promise<WriteReceipt> {
  let aboveFence = 0;
  for (let mint = 0; mint < MAX_MINTS; mint += 1) {
    const intent = await intentOf(parts, turn, request, mint === 0, aboveFence, phases);
    const { fence } = intent;
    turn.noteFence(fence);
    const { result, next } = await sendTransaction(parts, turn, request, intent, phases);
    if (result.status === 'unverified') {
      parts.telemetry.emit({ type: 'intent-lost', key: request.key, fence });
      aboveFence = fence;
      continue;
    }
    if (result.status !== 'fenced')
      return settle(parts, turn, request, { intent, next }, result, phases);
    parts.telemetry.emit({
      type: 'write-fenced',
      key: request.key,
      fence,
      storedFence: result.storedFence,
    });
    aboveFence = result.storedFence;
  }
  parts.recovery.recoverSoon(request.key);
  throw new LockstepError('FENCED', 'Newer turns at this key came in between each time.');
}

/** Step 2, or what the turn before did of it for this one. */
async function intentOf(
  parts: WriteParts,
  turn: Turn,
  request: WriteRequest,
  isFirst: boolean,
  aboveFence: number,
  phases: WritePhases,
): Promise<Intent> {
  if (isFirst && turn.inherited !== null) return turn.inherited;
  turn.assertHeld();
  const { cache, runtime } = parts;
  return timed(parts, phases, 'intentMs', () =>
    cache.placeIntent(request.key.cacheKey, runtime.ids.next(), aboveFence),
  );
}

interface Sent {
  result: RowWriteResult;
  /** The next write's intent, which has replaced this one's; null where none was put. */
  next: Intent | null;
}

/** Step 3. Where it fails after the intent was placed, a recovery is sent after it. */
async function sendTransaction(
  parts: WriteParts,
  turn: Turn,
  request: WriteRequest,
  intent: Intent,
  phases: WritePhases,
): Promise<Sent> {
  const { key, change, idempotency } = request;
  try {
    turn.assertHeld();
    const sent = timed(parts, phases, 'transactionMs', () =>
      parts.rows.write({
        key,
        change,
        fence: intent.fence,
        outbox: key.resource.invalidates.length > 0,
        ...reachOf(parts, key.resource),
        ...ifMatchOf(request),
        ...(idempotency === undefined ? {} : { idempotency }),
        ...(parts.verifyIntent === true ? { verify: () => isIntentThere(parts, key, intent) } : {}),
      }),
    );
    const [result, next] = await Promise.all([sent, placeNext(parts, key, turn, intent.fence)]);
    return { result, next };
  } catch (error) {
    parts.recovery.recoverSoon(request.key);
    throw error;
  }
}

/** W10: asked while the key is locked against fills, so that no older value can be cached under this commit. */
export async function isIntentThere(
  { cache }: WriteParts,
  key: Key,
  intent: Intent,
): Promise<boolean> {
  return (await cache.intentAgeMs(key.cacheKey, intent)) !== null;
}

async function settle(
  parts: WriteParts,
  turn: Turn,
  request: WriteRequest,
  { intent, next }: { intent: Intent; next: Intent | null },
  result: Exclude<RowWriteResult, { status: 'fenced' | 'unverified' }>,
  phases: WritePhases,
): Promise<WriteReceipt> {
  const standing = next ?? intent;
  switch (result.status) {
    case 'applied': {
      const heirloom = next !== null && turn.isFollowed() ? next : undefined;
      const publishing = timed(parts, phases, 'publishMs', () =>
        heirloom === undefined
          ? publish(parts, request, standing, result, next === null ? 'value' : 'tombstone')
          : invalidateRelatedTo(parts, request.key, result, 'invalidated'),
      );
      // The next turn may begin: its intent stands already, or follows this publish on the same connection, and were
      // it to overtake it, the publish would leave it alone (E5).
      turn.release(heirloom);
      const [cache, position] = await Promise.all([
        publishing,
        positionNow(parts),
        invalidateReached(parts, result.reached),
      ]);
      const rest = { cache, fence: intent.fence, waitMs: turn.waitMs, ...positioned(position) };
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
 * under: an invalidation may have marked that one (E6). A cache that fails now leaves the intent, which hides every older
 * value.
 */
export async function publish(
  parts: WriteParts,
  request: Pick<WriteRequest, 'key'>,
  intent: Intent,
  applied: AppliedRow,
  leave: 'value' | 'tombstone' = 'value',
): Promise<CacheOutcome> {
  const { cache, runtime } = parts;
  const { key } = request;
  const { version, row } = applied;
  const { resource, cacheKey } = key;
  const value =
    leave === 'value' && resource.onWrite === 'set'
      ? { version, row, ttlMs: valueTtlMs(resource, row, runtime.random.next()) }
      : null;
  let outcome: CacheOutcome = 'pending';
  try {
    outcome = await cache.publish(cacheKey, intent, version, value);
  } catch (error) {
    runtime.log.warn(
      { err: error, resource: resource.name },
      'a committed write could not be published',
    );
    parts.recovery.recoverSoon(request.key);
  }
  return invalidateRelatedTo(parts, key, applied, outcome);
}

/** What is related to the row. @returns what is then true of the cache, where `outcome` is of the key's own entry */
async function invalidateRelatedTo(
  { cache, outbox }: WriteParts,
  key: Key,
  applied: AppliedRow,
  outcome: CacheOutcome,
): Promise<CacheOutcome> {
  const { outboxId } = applied;
  if (outboxId === null) return outcome;
  if (await invalidateRelated(cache, key, applied)) {
    outbox.finished(outboxId);
    return outcome;
  }
  outbox.wake();
  return 'pending';
}

/** W2: the fence first, then the intent. Where either fails the intent stays and a recovery resolves it. */
export async function withdraw(
  parts: WriteParts,
  request: Pick<WriteRequest, 'key' | 'idempotency'>,
  intent: Intent,
  refusal: Refusal | null,
): Promise<void> {
  const { key, idempotency } = request;
  const refused =
    refusal !== null && idempotency !== undefined ? { idempotency, refusal } : undefined;
  try {
    const raised = await parts.rows.raiseFence(key, intent.fence, refused);
    if (raised.status === 'raised')
      await parts.cache.withdrawIntent(key.cacheKey, intent, raised.row.version);
  } catch (error) {
    parts.runtime.log.debug(
      { err: error, resource: key.resource.name },
      'an intent stays for recovery',
    );
    parts.recovery.recoverSoon(request.key);
  }
}
