import { describe, expect, it } from 'vitest';
import { Batcher } from './batcher.ts';

function set(maxCalls = 100, kindOf: (call: number) => unknown = () => 0, waitsForAll = false) {
  const sent: number[][] = [];
  const soon: (() => void)[] = [];
  let answer = (calls: readonly number[]): Promise<readonly (string | Error)[]> =>
    Promise.resolve(calls.map((call) => `answer ${call}`));
  const batcher = new Batcher<number, string>({
    timers: { soon: (run) => soon.push(run) },
    maxCalls,
    kindOf,
    waitsForAll,
    send: (calls) => {
      sent.push([...calls]);
      return answer(calls);
    },
  });
  return {
    batcher,
    sent,
    pass: () => soon.splice(0).forEach((run) => run()),
    answerWith: (other: typeof answer) => (answer = other),
  };
}

describe('calls of one moment', () => {
  it('go at once where one is alone, and together where others follow it', async () => {
    const { batcher, sent, pass } = set();
    const answers = Promise.all([1, 2, 3].map((call) => batcher.add(call)));
    expect(sent).toEqual([[1]]);
    pass();
    expect(sent).toEqual([[1], [2, 3]]);
    expect(await answers).toEqual(['answer 1', 'answer 2', 'answer 3']);
    void batcher.add(4);
    expect(sent).toEqual([[1], [2, 3], [4]]);
    pass();
    expect(sent).toHaveLength(3);
  });

  it('go at once where each is the first of its kind, and never overtake one that waits', () => {
    const { batcher, sent, pass } = set(100, (call) => call % 10);
    for (const call of [1, 2, 11, 3]) void batcher.add(call);
    expect(sent).toEqual([[1], [2]]);
    pass();
    expect(sent).toEqual([[1], [2], [11, 3]]);
  });

  it('go together with the first where all wait for each other', async () => {
    const { batcher, sent, pass } = set(3, () => 0, true);
    const answers = Promise.all([1, 2, 3, 4].map((call) => batcher.add(call)));
    expect(sent).toEqual([[1, 2, 3]]);
    pass();
    expect(sent).toEqual([[1, 2, 3], [4]]);
    expect(await answers).toHaveLength(4);
  });

  it('are never more than the bound in one sending', () => {
    const { batcher, sent, pass } = set(2);
    for (const call of [1, 2, 3, 4]) void batcher.add(call);
    pass();
    expect(sent).toEqual([[1], [2, 3], [4]]);
  });

  it('fail each by itself, or all together where the sending does', async () => {
    const { batcher, pass, answerWith } = set();
    answerWith((calls) =>
      Promise.resolve(calls.map((call) => (call === 2 ? new Error('two') : 'fine'))),
    );
    const answers = [1, 2, 3].map((call) => batcher.add(call));
    pass();
    const settled = await Promise.allSettled(answers);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    answerWith(() => Promise.reject(new Error('gone')));
    const lost = [4, 5].map((call) => batcher.add(call));
    pass();
    for (const call of lost) await expect(call).rejects.toThrow('gone');
  });

  it('reject a call that was left without an answer', async () => {
    const { batcher, answerWith } = set();
    answerWith(() => Promise.resolve([]));
    await expect(batcher.add(1)).rejects.toThrow('no answer');
  });
});
