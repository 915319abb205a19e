import type { IdempotencyRecord } from '../database/port.ts';
import {
  type Idempotency,
  LockstepError,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import { cacheOutcomeOf } from './cache-step.ts';
import { positioned, positionNow, receiptOf, type WriteParts } from './parts.ts';
import { refusalError } from './refusals.ts';

/**
 * Answers the first outcome of an idempotency key again and applies nothing (invariant W6). What it says of the cache
 * is looked at anew, so it is true now.
 * @throws LockstepError `IDEMPOTENCY_KEY_REUSED`, or the refusal that the first request got
 */
export async function replay(
  parts: Pick<WriteParts, 'cache' | 'log'>,
  request: WriteRequest & { idempotency: Idempotency },
  record: IdempotencyRecord,
): Promise<WriteReceipt> {
  if (record.requestHash !== request.idempotency.requestHash) throw reused();
  const { result } = record;
  if (result.status === 'refused') throw refusalError(request.key, result.refusal);
  if (result.status === 'applied-together') throw reused();
  const cache = await cacheOutcomeOf(parts.cache, request.key, result.version);
  const rest = { cache, fence: result.fence, waitMs: 0, replayed: true };
  return receiptOf(request, result, { ...rest, ...positioned(await positionNow(parts)) });
}

export const reused = (): LockstepError =>
  new LockstepError(
    'IDEMPOTENCY_KEY_REUSED',
    'This Idempotency-Key was used within 24 h with another request.',
  );
