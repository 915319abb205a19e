/** How a strict write ends its intents, and what it invalidates besides. */
import type { CacheOutcome } from '@lockstep/shared';
import type { AppliedRow, Refusal } from '../database/port.ts';
import { type Key, receiptRules, type WriteRequest } from '../domain/index.ts';
import { invalidate } from './cache-step.ts';
import { publishIntents, type RowIntents, withdrawIntents } from './intents.ts';
import type { WriteServiceOptions } from './options.ts';

/**
 * Step 4, and the invalidation of everything else that the write makes wrong.
 * @returns what is true of the cache then
 */
export async function publish(
  options: WriteServiceOptions,
  { key }: Pick<WriteRequest, 'key'>,
  intents: RowIntents,
  applied: AppliedRow,
): Promise<CacheOutcome> {
  const outcome = await publishIntents(options, key, intents, applied);
  return invalidateBeside(options, key, applied, outcome);
}

/**
 * Invalidates what the write makes wrong besides the strict entries.
 * @param own what is true of the key's own entry; null if it is not strict, and so is invalidated here
 */
export async function invalidateBeside(
  options: WriteServiceOptions,
  key: Key,
  applied: AppliedRow,
  own: CacheOutcome | null,
): Promise<CacheOutcome> {
  if (applied.outboxId === null) return own ?? receiptRules(key.resource).untouched;
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
