import type { IdempotencyRecord, TransactedWrite as TransactedRow } from '../database/port.ts';
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
  const applied = result.status === 'applied' ? result : ownOf(request, result.writes);
  const cache = await cacheOutcomeOf(parts.cache, request.key, applied.version);
  const rest = { cache, fence: applied.fence, waitMs: 0, replayed: true };
  return receiptOf(request, applied, { ...rest, ...positioned(await positionNow(parts)) });
}

/** A write that changed strict rows by foreign keys was a transaction, of which it was the first. */
function ownOf(
  { key }: WriteRequest,
  [first]: readonly TransactedRow[],
): Pick<TransactedRow, 'created' | 'version' | 'row' | 'fence'> {
  if (first?.resource !== key.resource.name || first.keyText !== key.text) throw reused();
  return first;
}

export const reused = (): LockstepError =>
  new LockstepError(
    'IDEMPOTENCY_KEY_REUSED',
    'This Idempotency-Key was used within 24 h with another request.',
  );
