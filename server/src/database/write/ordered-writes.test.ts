import { describe, expect, it } from 'vitest';
import { resource as testResource } from '@lockstep/testkit/doubles/resource';
import { LockstepError, makeKey } from '../../domain/index.ts';
import { StatementFailure, type FailureKind } from '../connections/statement-failure.ts';
import type { RowWrite, RowWriteResult } from '../port.ts';
import { OrderedWrites } from './ordered-writes.ts';
import type { InOrder } from './row-dialect.ts';

const key = makeKey(testResource(), ['1']);
/** A write that its fence names. */
const write = (fence: number, idempotencyKey?: string): RowWrite => ({
  ...{ key, change: { op: 'delete' }, outbox: false, fence },
  ...(idempotencyKey === undefined
    ? {}
    : { idempotency: { key: idempotencyKey, requestHash: 'h' } }),
});
const writes = (...fences: number[]): RowWrite[] => fences.map((fence) => write(fence));
const applied = (version: number) =>
  ({
    status: 'applied',
    created: false,
    version,
    row: null,
    outboxId: null,
    related: { before: null, after: null },
  }) as const satisfies RowWriteResult;
const refused: RowWriteResult = {
  status: 'refused',
  refusal: { reason: 'not-found', currentVersion: 0 },
};
const failed = (kind: FailureKind, at: number, passing = false): InOrder => ({
  failure: new StatementFailure({ kind, code: 'X', passing, cause: null }),
  at,
});

/** @param together what becomes of each run; by default all of it is applied */
function underTest({
  together = [],
  alone = (fence) => applied(fence),
  isShareable = () => true,
}: {
  together?: InOrder[];
  alone?: (fence: number) => RowWriteResult | Error;
  isShareable?: (write: RowWrite) => boolean;
}) {
  const sent: (number | number[])[] = [];
  const ordered = new OrderedWrites({
    dialect: {
      goesInOrder: isShareable,
      attemptInOrder: (run) => {
        const fences = run.map(({ fence = 0 }) => fence);
        sent.push(fences);
        return Promise.resolve(together.shift() ?? { attempts: fences.map(applied) });
      },
    },
    alone: ({ fence = 0 }) => {
      sent.push(fence);
      const result = alone(fence);
      return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
    },
    answerOf: (_, attempt) => Promise.resolve(attempt.status === 'applied' ? attempt : refused),
  });
  const versions = async (asked: RowWrite[]) =>
    (await ordered.run(asked)).map((each) => {
      if (each instanceof LockstepError) return each.code;
      return each !== null && 'version' in each ? each.version : each;
    });
  return { sent, versions };
}

describe('writes of one key in order', () => {
  it('W16: share a transaction, at most 64 of them', async () => {
    const { sent, versions } = underTest({});
    const fences = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(await versions(writes(...fences))).toEqual(fences);
    expect(sent).toEqual([fences.slice(0, 64), fences.slice(64)]);
  });

  it('W16: that cannot share go alone, in their place', async () => {
    const { sent, versions } = underTest({ isShareable: ({ fence }) => fence !== 3 });
    expect(await versions(writes(1, 2, 3, 4, 5))).toEqual([1, 2, 3, 4, 5]);
    expect(sent).toEqual([[1, 2], 3, [4, 5]]);
  });

  it('W6: that repeat an idempotency key wait for the outcome of the first', async () => {
    const { sent, versions } = underTest({});
    await versions([write(1, 'a'), write(2, 'b'), write(3, 'a'), write(4)]);
    expect(sent).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('W16: of which one is refused go again: those before it together, all others alone', async () => {
    const { sent, versions } = underTest({
      together: [failed('refused', 2)],
      alone: (fence) => (fence === 3 ? refused : applied(fence)),
    });
    expect(await versions(writes(1, 2, 3, 4))).toEqual([1, 2, refused, 4]);
    expect(sent).toEqual([[1, 2, 3, 4], [1, 2], 3, 4]);
  });

  it('go alone where their commit is refused, or another transaction was in the way', async () => {
    for (const failure of [failed('refused', 2), failed('rolled-back', 1, true)]) {
      const { sent, versions } = underTest({ together: [failure] });
      expect(await versions(writes(1, 2))).toEqual([1, 2]);
      expect(sent).toEqual([[1, 2], 1, 2]);
    }
  });

  it('W4, W17: without an answer are all unknown, and nothing more is sent', async () => {
    const { sent, versions } = underTest({ together: [failed('lost', 1)] });
    expect(await versions([write(1, 'a'), write(2, 'b'), write(3, 'a')])).toEqual([
      ...['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', null],
    ]);
    expect(sent).toEqual([[1, 2]]);
  });

  it('W17: send nothing after one that failed alone', async () => {
    const { sent, versions } = underTest({
      together: [failed('refused', 0)],
      alone: (fence) =>
        fence === 2 ? new LockstepError('OUTCOME_UNKNOWN', 'lost') : applied(fence),
    });
    expect(await versions(writes(1, 2, 3))).toEqual([1, 'OUTCOME_UNKNOWN', null]);
    expect(sent).toEqual([[1, 2, 3], 1, 2]);
  });
});
