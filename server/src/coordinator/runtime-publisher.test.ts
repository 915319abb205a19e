import { describe, expect, it } from 'vitest';
import { RuntimePublisher } from './runtime-publisher.ts';

describe('runtime.json', () => {
  it('ends with the newest state when two servers come back at the same moment', async () => {
    let state = 0;
    let file = -1;
    const slowness = [20, 1];
    const publisher = new RuntimePublisher(async () => {
      const seen = state;
      await new Promise((resolve) => setTimeout(resolve, slowness.shift()));
      file = seen;
    });
    state = 1;
    const first = publisher.write();
    state = 2;
    await Promise.all([first, publisher.write()]);
    expect(file).toBe(2);
  });

  it('is written again after a write that failed', async () => {
    let fails = true;
    const publisher = new RuntimePublisher(() =>
      fails ? Promise.reject(new Error('disk full')) : Promise.resolve(),
    );
    await expect(publisher.write()).rejects.toThrow('disk full');
    fails = false;
    await expect(publisher.write()).resolves.toBeUndefined();
    await publisher.written();
  });
});
