/**
 * A strict write (docs/SPEC.md, section "Strict write"):
 *
 *   queue and lock -> intent (mints the fence) -> fenced transaction -> publish -> acknowledge
 *
 * Invariants kept here:
 *   W1  the intent stands before the transaction is sent
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
import { invalidateRelated } from './cache-step.ts';
import { receiptOf, timed, type WriteParts } from './parts.ts';
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
    turn.assertHeld();
    const intent = await timed(parts, phases, 'intentMs', () =>
      parts.cache.placeIntent(request.key.cacheKey, parts.runtime.ids.next(), aboveFence),
    );
    const { fence } = intent;
    turn.noteFence(fence);
    const result = await sendTransaction(parts, turn, request, intent, phases);
    if (result.status === 'unverified') {
      parts.telemetry.emit({ type: 'intent-lost', key: request.key, fence });
      aboveFence = fence;
      continue;
    }
    if (result.status !== 'fenced') return settle(parts, turn, request, intent, result, phases);
    parts.telemetry.emit({
      type: 'write-fenced',
      key: request.key,
      fence,
      storedFence: result.storedFence,
    });
    aboveFence = result.storedFence;
  }
  recoverSoon(parts, request);
  throw new LockstepError('FENCED', 'Newer turns at this key came in between each time.');
}

/** Step 3. Where it fails after the intent was placed, a recovery is sent after it. */
async function sendTransaction(
  parts: WriteParts,
  turn: Turn,
  request: WriteRequest,
  intent: Intent,
  phases: WritePhases,
): Promise<RowWriteResult> {
  const { key, change, ifMatch, idempotency } = request;
  try {
    turn.assertHeld();
    return await timed(parts, phases, 'transactionMs', () =>
      parts.rows.write({
        key,
        change,
        fence: intent.fence,
        outbox: key.resource.invalidates.length > 0,
        ...(ifMatch === undefined ? {} : { ifMatch }),
        ...(idempotency === undefined ? {} : { idempotency }),
        ...(parts.verifyIntent === true ? { verify: () => isIntentThere(parts, key, intent) } : {}),
      }),
    );
  } catch (error) {
    recoverSoon(parts, request);
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
  intent: Intent,
  result: Exclude<RowWriteResult, { status: 'fenced' | 'unverified' }>,
  phases: WritePhases,
): Promise<WriteReceipt> {
  switch (result.status) {
    case 'applied': {
      const publishing = timed(parts, phases, 'publishMs', () =>
        publish(parts, request, intent, result),
      );
      // The next turn may begin: its intent follows this publish on the same connection, and were it to overtake it,
      // the publish would leave it alone (E5). On a hot key this saves a round trip in three.
      turn.release();
      const cache = await publishing;
      return receiptOf(request, result, { cache, fence: intent.fence, waitMs: turn.waitMs });
    }
    case 'refused':
      await withdraw(parts, request, intent, result.refusal);
      throw refusalError(request.key, result.refusal);
    case 'replayed': {
      await withdraw(parts, request, intent, null);
      const { idempotency } = request;
      if (idempotency === undefined)
        throw new LockstepError('INTERNAL', 'A replay without an idempotency key.');
      return replay(parts, { ...request, idempotency }, result.record);
    }
  }
}

/** Step 4, and what is related to the row. A cache that fails now leaves the intent, which hides every older value. */
export async function publish(
  parts: WriteParts,
  request: Pick<WriteRequest, 'key'>,
  intent: Intent,
  { version, row, related, outboxId }: AppliedRow,
): Promise<CacheOutcome> {
  const { cache, outbox, runtime } = parts;
  const { key } = request;
  const { resource, cacheKey } = key;
  const value =
    resource.onWrite === 'set'
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
    recoverSoon(parts, request);
  }
  if (outboxId === null) return outcome;
  if (await invalidateRelated(cache, key, related)) outbox.finished(outboxId);
  else {
    outbox.wake();
    outcome = 'pending';
  }
  return outcome;
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
    recoverSoon(parts, request);
  }
}

/** Tries once, off the caller's path, to resolve the intent that this write leaves; else the sweeper finds it. */
export function recoverSoon(
  { recovery, runtime }: WriteParts,
  { key }: Pick<WriteRequest, 'key'>,
): void {
  recovery.recover(key, 'writer').catch((error: unknown) => {
    runtime.log.debug(
      { err: error, resource: key.resource.name },
      'an intent stays for the sweeper',
    );
  });
}
