import type { IdempotencyRecord } from '../database/port.ts';
import type { TransactionRequest, WriteReceipt } from '../domain/index.ts';
import { cacheOutcomeOf } from './cache-step.ts';
import { atOperation } from './held-keys.ts';
import { positioned, positionNow, receiptOf, type WriteParts } from './parts.ts';
import { refusalError } from './refusals.ts';
import { reused } from './replay.ts';

/**
 * Answers a transaction's first outcome again and applies nothing (invariant W6). What it says of the cache is looked
 * at anew.
 * @throws LockstepError `IDEMPOTENCY_KEY_REUSED`, or the refusal that the first request got
 */
export async function replayTogether(
  parts: Pick<WriteParts, 'cache' | 'log'>,
  { writes, idempotency }: TransactionRequest,
  { requestHash, result }: IdempotencyRecord,
): Promise<WriteReceipt[]> {
  if (requestHash !== idempotency?.requestHash || result.status === 'applied') throw reused();
  if (result.status === 'refused') {
    const { refusal, index } = result;
    const write = writes[index ?? 0];
    if (write === undefined) throw reused();
    const error = refusalError(write.key, refusal);
    throw index === undefined ? error : atOperation(error, index);
  }
  const position = positioned(await positionNow(parts));
  return Promise.all(
    writes.map(async (write, index) => {
      const applied = result.writes[index];
      if (applied === undefined) throw reused();
      const outcome = await cacheOutcomeOf(parts.cache, write.key, applied.version);
      const rest = { cache: outcome, fence: applied.fence, waitMs: 0, replayed: true };
      return receiptOf(write, applied, { ...rest, ...position });
    }),
  );
}
