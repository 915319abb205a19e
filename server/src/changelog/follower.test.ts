import { expect, it } from 'vitest';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { resource } from '@lockstep/testkit/doubles/resource';
import { Follower } from './follower.ts';
import type { ChangeSource } from './port.ts';
import type { LogTerm } from './position-store.ts';
import { Sweeps } from './sweeps.ts';

const account = resource();
const resources = new Map([['account', account]]);
const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

const nothing = (): void => undefined;
const scanner = { scan: () => Promise.resolve({ next: null, keys: [] }) };
const entries = { available: true, invalidateMany: () => Promise.resolve([]) };

/** A follower of a source that does nothing but what the test says. */
function follow(changes: (runtime: ManualRuntime, over: AbortController) => Partial<ChangeSource>) {
  const runtime = manualRuntime();
  const over = new AbortController();
  const source: ChangeSource = {
    open: () => Promise.resolve({ position: '0/1', gap: null, faults: [], lost: [] }),
    stream: (_position, _sink, signal) => ended(signal),
    untilVisible: () => Promise.resolve(true),
    acknowledge: nothing,
    verify: () => Promise.resolve({ faults: [], lost: [] }),
    retainedLog: () => Promise.resolve(null),
    ...changes(runtime, over),
  };
  const saved: string[][] = [];
  const term: LogTerm = {
    stored: { position: '0/1', sweeps: [], followed: null },
    signal: new AbortController().signal,
    save: ({ sweeps }) => Promise.resolve(void saved.push(sweeps)),
  };
  const forgetLocal = (): Promise<void> => Promise.resolve();
  const sweeps = new Sweeps({
    ...{ scanner, entries, resources, runtime, forgetLocal },
    onInvalidated: nothing,
  });
  const follower = new Follower(
    {
      ...{ source, entries, resources, sweeps, runtime },
      outbox: { append: () => Promise.resolve() },
      telemetry: { emit: nothing },
    },
    term,
    { began: nothing, progressed: nothing, faults: nothing, batch: nothing, applied: nothing },
  );
  return { runtime, over, saved, sweeps, running: follower.run(over.signal, null) };
}

it('C4: what a look at the tables finds while the term ends is swept, though no batch is taken any more', async () => {
  const { runtime, running, saved, sweeps } = follow((time, over) => ({
    verify: async () => {
      over.abort();
      await time.timers.sleep(5);
      return { faults: [], lost: [{ table: account.table, message: 'it is another one' }] };
    },
  }));
  await runtime.advance(2_000);
  await running;
  expect(saved.at(-1)).toEqual(['account']);
  expect(sweeps.pending).toEqual(['account']);
});

it('C4: a table that is not followed stays to be swept for whoever follows it again', async () => {
  let isFollowed = false;
  const fault = { table: account.table, message: 'is in no publication', isFollowed: false };
  const { runtime, over, running, saved, sweeps } = follow(() => ({
    verify: () => Promise.resolve({ faults: isFollowed ? [] : [fault], lost: [] }),
  }));
  await runtime.advance(5_000);
  expect(saved.at(-1)).toEqual(['account']);
  expect(sweeps.pending).toEqual([]);
  isFollowed = true;
  await runtime.advance(5_000);
  expect(saved.at(-1)).toEqual([]);
  over.abort();
  await running;
});
