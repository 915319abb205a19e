import { describe, expect, it } from 'vitest';
import { SingleFlight } from './single-flight.ts';

function gate(): { open: () => void; opened: Promise<void> } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

describe('single-flight', () => {
  it('R1: read the database twice at most for any number of concurrent misses', async () => {
    const singleFlight = new SingleFlight<number>();
    const first = gate();
    let reads = 0;
    const read = async (): Promise<number> => {
      reads += 1;
      await first.opened;
      return reads;
    };
    const calls = Array.from({ length: 100 }, () => singleFlight.join('k', read));
    first.open();
    expect(new Set(await Promise.all(calls))).toEqual(new Set([1, 2]));
    expect(reads).toBe(2);
  });

  it('R2: never answer a caller from a read that began before its call', async () => {
    const singleFlight = new SingleFlight<string>();
    const slow = gate();
    let database = 'old';
    const read = async (): Promise<string> => {
      const seen = database;
      await slow.opened;
      return seen;
    };
    const before = singleFlight.join('k', read);
    database = 'new';
    const after = singleFlight.join('k', read);
    slow.open();
    expect(await before).toBe('old');
    expect(await after).toBe('new');
  });

  it('start the queued read although the running one failed', async () => {
    const singleFlight = new SingleFlight<string>();
    const failing = singleFlight.join('k', () => Promise.reject(new Error('away')));
    const queued = singleFlight.join('k', () => Promise.resolve('here'));
    await expect(failing).rejects.toThrow('away');
    expect(await queued).toBe('here');
  });

  it('forget a key that nobody reads', async () => {
    const singleFlight = new SingleFlight<number>();
    await Promise.all([
      singleFlight.join('k', () => Promise.resolve(1)),
      singleFlight.join('k', () => Promise.resolve(2)),
    ]);
    await singleFlight.join('k', () => Promise.resolve(3));
    expect(singleFlight.size).toBe(0);
  });
});
