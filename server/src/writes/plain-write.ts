/**
 * A write that takes no lock: `delete-after-write` (transaction with an outbox row, then a tombstone),
 * `delayed-double-delete` (the same, and a second outbox row that falls due later), `change-log` (transaction only: its
 * subscriber leaves the tombstone), `refresh` and `none` (transaction only). The outbox row is what cannot be lost
 * (invariant W5): it is removed only after the tombstone,
 * and until then the relay will leave it.
 */
import type { CacheOutcome } from '@lockstep/shared';
import type { CoveringPosition } from '../cache/port.ts';
import type { AppliedRow } from '../database/port.ts';
import {
  LockstepError,
  type Resource,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import { invalidateWritten } from './cache-step.ts';
import { positioned, positionNow, receiptOf, timed, type WriteParts } from './parts.ts';
import { refusalError } from './refusals.ts';
import { replay } from './replay.ts';

export async function plainWrite(
  parts: WriteParts,
  request: WriteRequest,
  phases: WritePhases,
): Promise<WriteReceipt> {
  const { key, change, ifMatch, idempotency } = request;
  const result = await timed(parts, phases, 'transactionMs', () =>
    parts.rows.write({
      key,
      change,
      outbox: hasOutbox(key.resource),
      ...secondDelete(parts, key.resource),
      ...(ifMatch === undefined ? {} : { ifMatch }),
      ...(idempotency === undefined ? {} : { idempotency }),
    }),
  );
  switch (result.status) {
    case 'applied': {
      const [cache, position] = await timed(parts, phases, 'publishMs', async () => {
        const covering = await positionNow(parts);
        return [await invalidate(parts, request, result, covering), covering] as const;
      });
      const rest = { cache, fence: null, waitMs: 0, ...positioned(position) };
      return receiptOf(request, result, rest);
    }
    case 'refused':
      if (idempotency !== undefined)
        await parts.rows.recordRefusal(key, idempotency, result.refusal);
      throw refusalError(key, result.refusal);
    case 'replayed':
      if (idempotency === undefined)
        throw new LockstepError('INTERNAL', 'A replay without an idempotency key.');
      return replay(parts, { ...request, idempotency }, result.record);
    case 'fenced':
    case 'unverified':
      throw new LockstepError('INTERNAL', 'A write without a fence was fenced.');
  }
}

/** The others are never cached, or invalidated by somebody else: the change log's subscriber, the next refresh. */
export const hasOutbox = ({ policy }: Resource): boolean =>
  policy === 'delete-after-write' || policy === 'delayed-double-delete';

export function secondDelete(
  { secondDeleteDelay }: WriteParts,
  resource: Resource,
): { secondDeleteAfterMs?: number } {
  if (resource.policy !== 'delayed-double-delete') return {};
  return { secondDeleteAfterMs: secondDeleteDelay.afterMs(resource) };
}

export async function invalidate(
  { cache, outbox }: WriteParts,
  { key }: Pick<WriteRequest, 'key'>,
  { version, related, outboxId }: AppliedRow,
  position?: CoveringPosition,
): Promise<CacheOutcome> {
  if (outboxId === null) return key.resource.policy === 'none' ? 'none' : 'pending';
  if (await invalidateWritten(cache, key, { version, related, position })) {
    outbox.finished(outboxId);
    return 'invalidated';
  }
  outbox.wake();
  return 'pending';
}
