/**
 * A write without a lock: one database transaction, then the cache. Which policies use it, and what each does to the
 * cache, is in `domain/policy-rules.ts`.
 *
 * The transaction stores an outbox row with the change. The write removes that row only after its cache step succeeded;
 * until then the relay repeats the step, so that no invalidation is lost (W5).
 */
import {
  LockstepError,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import { forgetChanged, invalidate, invalidateReached } from './cache-step.ts';
import { timed, type WriteServiceOptions } from './options.ts';
import { reachOf, ReachesStrict } from './reaching-write.ts';
import { positioned, positionNow, receiptOf, replay } from './receipts.ts';
import { refusalError } from './refusals.ts';
import { hasOutbox, ifMatchOf, secondDelete } from './row-write.ts';

export async function plainWrite(
  options: WriteServiceOptions,
  request: WriteRequest,
  phases: WritePhases,
): Promise<WriteReceipt> {
  const { key, change, idempotency } = request;
  const result = await timed(options, phases, 'transactionMs', () =>
    options.rows.write({
      key,
      change,
      outbox: hasOutbox(key.resource),
      ...secondDelete(options, key.resource),
      ...reachOf(options, key.resource),
      ...ifMatchOf(request),
      ...(idempotency === undefined ? {} : { idempotency }),
    }),
  );
  switch (result.status) {
    case 'applied': {
      const [cache, position] = await timed(options, phases, 'publishMs', async () => {
        const covering = await positionNow(options);
        await invalidateReached(options, result.reached);
        return [await invalidate(options, key, result, covering), covering] as const;
      });
      const rest = { cache, fence: null, waitMs: 0, ...positioned(position) };
      return receiptOf(request, result, rest);
    }
    case 'refused':
      await forgetChanged(options.cache, key, result.refusal);
      if (idempotency !== undefined)
        await options.rows.recordRefusal(key, idempotency, result.refusal);
      throw refusalError(key, result.refusal);
    case 'replayed':
      if (idempotency === undefined)
        throw new LockstepError('INTERNAL', 'A replay without an idempotency key.');
      return replay(options, { ...request, idempotency }, result.record);
    case 'reaches':
      throw new ReachesStrict(result.keys);
    case 'fenced':
    case 'unverified':
      throw new LockstepError('INTERNAL', 'A write without a fence was fenced.');
  }
}
