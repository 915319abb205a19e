import { describe, expect, it } from 'vitest';
import { Sequence } from './sequence.ts';

describe('a sequence of tasks', () => {
  it('ends with the newest state when two servers come back at the same moment', async () => {
    let state = 0;
    let file = -1;
    const slowness = [20, 1];
    const sequence = new Sequence();
    const write = (): Promise<void> =>
      sequence.run(async () => {
        const seen = state;
        await new Promise((resolve) => setTimeout(resolve, slowness.shift()));
        file = seen;
      });
    state = 1;
    const first = write();
    state = 2;
    await Promise.all([first, write()]);
    expect(file).toBe(2);
  });

  it('runs the next task after one that failed', async () => {
    const sequence = new Sequence();
    const failed = sequence.run(() => Promise.reject(new Error('disk full')));
    await expect(failed).rejects.toThrow('disk full');
    await expect(sequence.run(() => Promise.resolve('written'))).resolves.toBe('written');
    await sequence.ended();
  });
});
