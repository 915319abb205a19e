import { describe, expect, test, vi } from 'vitest';
import { LogDeletions, type LogMessage } from './log-deletions.ts';

/** The messages of a transaction that updates one row. */
const update = (id: number) =>
  ({ tag: 'update', new: { id: String(id) } }) as unknown as LogMessage;
const commit = (commitEndLsn: string) => ({ tag: 'commit', commitEndLsn }) as LogMessage;

function opened() {
  const log: string[] = [];
  const answers: ((isDone: boolean) => void)[] = [];
  const ending = new AbortController();
  const deletions = new LogDeletions({
    deleteSurely: (keys) =>
      new Promise((resolve, reject) => {
        log.push(`DEL ${keys.join(' ')}`);
        answers.push((isDone) => (isDone ? resolve() : reject(new Error('no answer'))));
      }),
    confirm: (position) => log.push(`confirm ${position}`),
    signal: ending.signal,
  });
  /** Answers the deletion in flight, and waits until the expected call has been made. */
  const answer = async (isDone: boolean, follows: string): Promise<void> => {
    answers.shift()?.(isDone);
    await vi.waitFor(() => expect(log.at(-1)).toBe(follows));
  };
  return { deletions, log, answer, ending };
}

describe('deletions by the change log', () => {
  test('combine what arrives during the last deletion, and confirm what is deleted', async () => {
    const { deletions, log, answer } = opened();
    for (const [id, end] of [
      [1, '0/10'],
      [2, '0/20'],
      [3, '0/30'],
    ] as const) {
      void deletions.take(update(id));
      void deletions.take(commit(end));
    }
    expect(log).toEqual(['DEL 1']);
    await answer(true, 'DEL 2 3');
    await answer(true, 'confirm 0/30');
    expect(log).toEqual(['DEL 1', 'DEL 2 3', 'confirm 0/30']);
  });

  test('are tried again until they succeed, and not confirmed before', async () => {
    const { deletions, log, answer } = opened();
    void deletions.take(update(1));
    void deletions.take(commit('0/10'));
    await answer(false, 'DEL 1');
    await vi.waitFor(() => expect(log).toHaveLength(2));
    void deletions.take(update(2));
    await answer(true, 'DEL 2');
    expect(log).toEqual(['DEL 1', 'DEL 1', 'confirm 0/10', 'DEL 2']);
  });

  test('end when the subscriber is stopped', async () => {
    const { deletions, log, answer, ending } = opened();
    void deletions.take(update(1));
    ending.abort();
    await answer(false, 'DEL 1');
    await deletions.settled();
    expect(log).toEqual(['DEL 1']);
  });
});
