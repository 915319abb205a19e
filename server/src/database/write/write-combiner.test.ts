import { describe, expect, it } from 'vitest';
import { makeKey } from '../../domain/index.ts';
import { resource as testResource } from '@lockstep/testkit/doubles/resource';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import type { RowWrite } from '../port.ts';
import { StatementFailure, type FailureKind } from '../connections/statement-failure.ts';
import { WriteCombiner } from './write-combiner.ts';
import type { Attempt } from './attempt.ts';

const MAX_WAIT_MS = 1_000;
const GROUPS = { put: { name: 'put' }, patch: { name: 'patch' } };

interface Sent {
  how: 'alone' | 'together' | 'in order';
  keys: string[];
  answer: (attempts: (Attempt | null)[]) => void;
  fail: (error: Error) => void;
}

/** A combiner over statements that the test answers. */
function combinerUnderTest() {
  const resource = testResource();
  const runtime = manualRuntime();
  const sent: Sent[] = [];
  const send = (how: Sent['how'], writes: readonly RowWrite[]): Promise<(Attempt | null)[]> =>
    new Promise((answer, fail) => {
      sent.push({ how, keys: writes.map(({ key }) => key.text), answer, fail });
    });
  const combiner = new WriteCombiner<{ name: string }>({
    alone: async (write) => {
      const [attempt] = await send('alone', [write]);
      if (attempt === null || attempt === undefined)
        throw new Error('one alone is always answered');
      return attempt;
    },
    together: (_, writes) => send('together', writes),
    ofOneKey: {
      attempt: async (writes) => {
        try {
          const attempts = await send('in order', writes);
          return { attempts: attempts.filter((attempt) => attempt !== null) };
        } catch (error) {
          if (!(error instanceof StatementFailure)) throw error;
          return { failure: error, at: 0 };
        }
      },
      accepts: ({ change }) => change.op !== 'delete',
    },
    groupOf: ({ change }) => (change.op === 'delete' ? null : GROUPS[change.op]),
    timers: runtime.timers,
    maxWaitMs: MAX_WAIT_MS,
  });
  const attempt = (id: number, op: 'patch' | 'put' | 'delete' = 'patch'): Promise<Attempt> => {
    const change =
      op === 'delete'
        ? { op }
        : op === 'put'
          ? { op, set: {}, onlyCreate: false }
          : { op, set: {}, increment: {} };
    const write: RowWrite = { key: makeKey(resource, [String(id)]), change, outbox: false };
    return combiner.attempt(write, { startedAtMs: null });
  };
  /** Two alone, then a batch of one on each lane: what comes now waits. */
  const occupy = (): Promise<Attempt>[] => [91, 92, 93, 94].map((id) => attempt(id));
  return { runtime, sent, attempt, occupy };
}

const applied = (version: number): Attempt => ({
  status: 'applied',
  created: false,
  version,
  row: null,
  outboxId: null,
  related: { before: null, after: null },
});
const failure = (kind: FailureKind, passing = false): StatementFailure =>
  new StatementFailure({ kind, code: 'X', passing, cause: null });
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the write combiner', () => {
  it('sends a write alone while few are under way', () => {
    const { sent, attempt } = combinerUnderTest();
    void attempt(1);
    void attempt(2);
    expect(sent.map(({ how }) => how)).toEqual(['alone', 'alone']);
  });

  it('sends together what waited while the lanes were busy, and gives each its own answer', async () => {
    const { sent, attempt, occupy } = combinerUnderTest();
    void occupy();
    const waiting = [attempt(1), attempt(2), attempt(3)];
    expect(sent).toHaveLength(4);
    sent[2]?.answer([applied(1)]);
    await settled();
    expect(sent[4]).toMatchObject({ how: 'together', keys: ['1', '2', '3'] });
    sent[4]?.answer([applied(11), applied(12), applied(13)]);
    expect(await Promise.all(waiting)).toEqual([applied(11), applied(12), applied(13)]);
  });

  it('never puts writes of different groups into one batch', async () => {
    const { sent, attempt, occupy } = combinerUnderTest();
    void occupy();
    for (const id of [1, 2]) void attempt(id);
    void attempt(3, 'put');
    sent[2]?.answer([applied(1)]);
    await settled();
    expect(sent[4]?.keys).toEqual(['1', '2']);
    sent[4]?.answer([applied(1), applied(1)]);
    await settled();
    expect(sent[5]?.keys).toEqual(['3']);
  });

  it('W16: lets one write of a key go at a time, and sends those that wait behind it in order', async () => {
    const { sent, attempt } = combinerUnderTest();
    const writes = [attempt(1), attempt(1, 'put'), attempt(1), attempt(1)];
    expect(sent).toMatchObject([{ how: 'alone', keys: ['1'] }]);
    sent[0]?.answer([applied(1)]);
    await settled();
    void attempt(1);
    expect(sent).toHaveLength(2);
    expect(sent[1]).toMatchObject({ how: 'in order', keys: ['1', '1', '1'] });
    sent[1]?.answer([applied(2), applied(3), applied(4)]);
    expect(await Promise.all(writes)).toEqual([1, 2, 3, 4].map(applied));
    expect(sent[2]).toMatchObject({ how: 'alone', keys: ['1'] });
  });

  it('sends those of a run one after the other when it was taken back, and tells all when it got no answer', async () => {
    const { sent, attempt } = combinerUnderTest();
    const first = attempt(1);
    const refused = [attempt(1), attempt(1)];
    sent[0]?.answer([applied(1)]);
    await settled();
    const lost = [attempt(1), attempt(1)].map((write) => write.catch((error: unknown) => error));
    sent[1]?.fail(failure('refused'));
    await settled();
    expect(sent).toHaveLength(3);
    sent[2]?.answer([{ status: 'not-admitted' }]);
    await settled();
    sent[3]?.answer([applied(2)]);
    expect(await Promise.all([first, ...refused])).toEqual([
      ...[applied(1), { status: 'not-admitted' }, applied(2)],
    ]);
    await settled();
    const error = failure('lost');
    sent[4]?.fail(error);
    expect(await Promise.all(lost)).toEqual([error, error]);
    expect(sent).toHaveLength(5);
  });

  it('fails what has waited too long in a line: it was never sent', async () => {
    const { runtime, sent, attempt } = combinerUnderTest();
    void attempt(1);
    const failed = expect(attempt(1)).rejects.toMatchObject({ kind: 'unreached' });
    await runtime.advance(MAX_WAIT_MS);
    await failed;
    expect(sent).toHaveLength(1);
  });

  it('sends at once, beside the lanes, what cannot be combined', () => {
    const { sent, attempt, occupy } = combinerUnderTest();
    void occupy();
    void attempt(1, 'delete');
    expect(sent[4]).toMatchObject({ how: 'alone', keys: ['1'] });
  });

  it('sends alone what a batch left over', async () => {
    const { sent, attempt, occupy } = combinerUnderTest();
    void occupy();
    const [first, second] = [attempt(1), attempt(2)];
    sent[2]?.answer([applied(1)]);
    await settled();
    sent[4]?.answer([applied(7), null]);
    expect(await first).toEqual(applied(7));
    await settled();
    expect(sent[5]).toMatchObject({ how: 'alone', keys: ['2'] });
    sent[5]?.answer([{ status: 'not-admitted' }]);
    expect(await second).toEqual({ status: 'not-admitted' });
  });

  it.each([failure('refused'), failure('rolled-back', true)])(
    'sends each alone when the whole batch was rolled back for one of them ($kind)',
    async (error) => {
      const { sent, attempt, occupy } = combinerUnderTest();
      void occupy();
      const waiting = [attempt(1), attempt(2)];
      sent[2]?.answer([applied(1)]);
      await settled();
      sent[4]?.fail(error);
      await settled();
      expect(sent.slice(5)).toMatchObject([
        { how: 'alone', keys: ['1'] },
        { how: 'alone', keys: ['2'] },
      ]);
      for (const { answer } of sent.slice(5)) answer([applied(1)]);
      expect(await Promise.all(waiting)).toHaveLength(2);
    },
  );

  it.each([failure('lost'), failure('unreached'), failure('rolled-back')])(
    'tells all of a batch when it is $kind, and repeats none (W4)',
    async (error) => {
      const { sent, attempt, occupy } = combinerUnderTest();
      void occupy();
      const waiting = [attempt(1), attempt(2)];
      sent[2]?.answer([applied(1)]);
      await settled();
      sent[4]?.fail(error);
      expect(await Promise.allSettled(waiting)).toEqual([
        { status: 'rejected', reason: error },
        { status: 'rejected', reason: error },
      ]);
      expect(sent).toHaveLength(5);
    },
  );

  it('gives up combining where the database cannot run the statement at all', async () => {
    const { sent, attempt, occupy } = combinerUnderTest();
    void occupy();
    void attempt(1);
    sent[2]?.answer([applied(1)]);
    await settled();
    sent[4]?.fail(failure('broken'));
    await settled();
    expect(sent[5]).toMatchObject({ how: 'alone', keys: ['1'] });
    void attempt(2);
    expect(sent[6]).toMatchObject({ how: 'alone', keys: ['2'] });
  });

  it('fails what has waited too long for a lane: it was never sent', async () => {
    const { runtime, sent, attempt, occupy } = combinerUnderTest();
    void occupy();
    const early = attempt(1);
    const failed = expect(early).rejects.toMatchObject({ kind: 'unreached' });
    await runtime.advance(MAX_WAIT_MS);
    await failed;
    const late = attempt(2);
    sent[2]?.answer([applied(1)]);
    await settled();
    expect(sent[4]?.keys).toEqual(['2']);
    sent[4]?.answer([applied(3)]);
    expect(await late).toEqual(applied(3));
  });
});
