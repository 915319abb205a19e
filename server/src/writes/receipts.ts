/**
 * What a write answers: the receipt of one that was applied just now, and of one that repeats an idempotency key.
 *
 * A repeat applies nothing and answers the outcome of the first request (invariant W6). It invalidates what is older in
 * the cache and reports what it found there, so that `cache` is true at the time of the answer.
 */
import type { IdempotencyRecord, RowWriteResult, TransactedWrite } from '../database/port.ts';
import {
  type Idempotency,
  keyFromRowText,
  keyFromText,
  LockstepError,
  type LogPosition,
  type TransactionRequest,
  UNKNOWN_POSITION,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import { cacheOutcomeOf } from './cache-step.ts';
import { atOperation } from './held-keys.ts';
import type { WriteServiceOptions } from './options.ts';
import { refusalError } from './refusals.ts';

type AppliedResult = Extract<RowWriteResult, { status: 'applied' }>;

export function receiptOf(
  request: Pick<WriteRequest, 'key'>,
  applied: Pick<AppliedResult, 'created' | 'version' | 'row'>,
  rest: Pick<WriteReceipt, 'cache' | 'fence' | 'waitMs' | 'position'> & { replayed?: boolean },
): WriteReceipt {
  return {
    key: request.key,
    created: applied.created,
    version: applied.version,
    value: applied.row,
    outcome: 'applied',
    policy: request.key.resource.policy,
    replayed: false,
    ...rest,
  };
}

/**
 * Call after the commit.
 * @returns a log position that covers the write; null where it cannot be learned, undefined where there are no replicas
 */
export async function positionNow({
  log,
}: Pick<WriteServiceOptions, 'log'>): Promise<LogPosition | null | undefined> {
  return log === undefined ? undefined : log.current();
}

/** The position as a receipt carries it. */
export const positioned = (
  position: LogPosition | null | undefined,
): Pick<WriteReceipt, 'position'> =>
  position === undefined ? {} : { position: position ?? UNKNOWN_POSITION };

/** @throws LockstepError `IDEMPOTENCY_KEY_REUSED`, or the refusal that the first request got */
export async function replay(
  options: Pick<WriteServiceOptions, 'cache' | 'outbox' | 'log'>,
  request: WriteRequest & { idempotency: Idempotency },
  record: IdempotencyRecord,
): Promise<WriteReceipt> {
  if (record.requestHash !== request.idempotency.requestHash) throw reused();
  const { result } = record;
  if (result.status === 'refused') throw refusalError(request.key, result.refusal);
  const key =
    request.isNewKey === true ? keyFromRowText(request.key.resource, record.keyText) : request.key;
  const applied = result.status === 'applied' ? result : ownOf(request, result.writes);
  const cache = await cacheOutcomeOf(options, key, applied.version);
  const rest = { cache, fence: applied.fence, waitMs: 0, replayed: true };
  return receiptOf({ key }, applied, { ...rest, ...positioned(await positionNow(options)) });
}

/** A single write that changed strict rows by foreign keys was carried out as a transaction, and came first in it. */
function ownOf(
  { key }: WriteRequest,
  [first]: readonly TransactedWrite[],
): Pick<TransactedWrite, 'created' | 'version' | 'row' | 'fence'> {
  if (first?.resource !== key.resource.name || first.keyText !== key.text) throw reused();
  return first;
}

/** @throws LockstepError `IDEMPOTENCY_KEY_REUSED`, or the refusal that the first request got */
export async function replayTogether(
  options: Pick<WriteServiceOptions, 'cache' | 'outbox' | 'log'>,
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
  const position = positioned(await positionNow(options));
  return Promise.all(
    writes.map(async (write, index) => {
      const applied = result.writes[index];
      if (applied === undefined) throw reused();
      const { resource } = write.key;
      const key = write.isNewKey === true ? keyFromText(resource, applied.keyText) : write.key;
      const cache = await cacheOutcomeOf(options, key, applied.version);
      const rest = { cache, fence: applied.fence, waitMs: 0, replayed: true };
      return receiptOf({ key }, applied, { ...rest, ...position });
    }),
  );
}

export const reused = (): LockstepError =>
  new LockstepError(
    'IDEMPOTENCY_KEY_REUSED',
    'This Idempotency-Key was used within 24 h with another request.',
  );
