import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Judge } from './judge.ts';

const KEY = 1;
const told = (n: number) => ({ n, inStep: true });

describe('the judge of reads', () => {
  test('calls a read stale if it answers less than was acknowledged before it was sent', () => {
    const judge = new Judge(KEY);
    judge.onWrite(KEY, told(1), 100);
    judge.onRead(KEY, 0, judge.send(KEY, 130));
    expect(judge.staleReads).toBe(1);
    expect([...judge.staleAgesMs()]).toEqual([30]);
  });

  test('accepts a read that was in flight when the write was acknowledged', () => {
    const judge = new Judge(KEY);
    const sent = judge.send(KEY, 90);
    judge.onWrite(KEY, told(1), 100);
    judge.onRead(KEY, 0, sent);
    expect(judge.staleReads).toBe(0);
  });

  test('measures the age from the first newer write', () => {
    const judge = new Judge(KEY);
    judge.onWrite(KEY, told(1), 100);
    judge.onWrite(KEY, told(2), 150);
    judge.onWrite(KEY, told(3), 190);
    judge.onRead(KEY, 1, judge.send(KEY, 200));
    expect([...judge.staleAgesMs()]).toEqual([50]);
  });

  test('ignores writes that were never acknowledged, or only after a newer one', () => {
    const judge = new Judge(KEY);
    judge.onWrite(KEY, told(5), 100);
    const sent = judge.send(KEY, 150);
    judge.onWrite(KEY, told(4), 160);
    judge.onRead(KEY, 1, sent);
    expect([...judge.staleAgesMs()]).toEqual([50]);
  });

  test('excuses a stale read only if the answers of all the writes that it missed allow it', () => {
    const judge = new Judge(KEY);
    judge.onWrite(KEY, { n: 1, inStep: false }, 100);
    judge.onRead(KEY, 0, judge.send(KEY, 110));
    expect([judge.staleReads, judge.unexcusedReads]).toEqual([1, 0]);
    judge.onWrite(KEY, told(2), 120);
    judge.onWrite(KEY, { n: 3, inStep: false }, 130);
    judge.onRead(KEY, 1, judge.send(KEY, 140));
    judge.onRead(KEY, 2, judge.send(KEY, 150));
    expect([judge.staleReads, judge.unexcusedReads]).toEqual([3, 1]);
  });

  test('calls a read backward only if it is below an earlier answer', () => {
    const judge = new Judge(KEY);
    judge.onRead(KEY, 2, judge.send(KEY, 100)); // a write that nobody has acknowledged yet
    judge.onRead(KEY, 1, judge.send(KEY, 110));
    expect([judge.staleReads, judge.backwardReads]).toEqual([0, 1]);
    expect(judge.findings).toEqual([
      { key: KEY, n: 1, atMs: 110, acknowledged: 0, inStep: 0, answered: 2 },
    ]);
  });

  test('finds nothing in reads of one register in any order of calls', () => {
    const steps = fc.array(fc.constantFrom('write', 'send', 'answer'), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (order) => {
        const judge = new Judge(KEY);
        const inFlight: { sent: ReturnType<Judge['send']>; n: number }[] = [];
        let [n, nowMs] = [0, 0];
        for (const step of order) {
          nowMs++;
          if (step === 'write') judge.onWrite(KEY, told(++n), nowMs);
          else if (step === 'send') inFlight.push({ sent: judge.send(KEY, nowMs), n });
          else {
            const read = inFlight.shift();
            if (read !== undefined) judge.onRead(KEY, read.n, read.sent);
          }
        }
        expect([judge.staleReads, judge.backwardReads]).toEqual([0, 0]);
      }),
    );
  });
});
