import { expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { resource } from '@lockstep/testkit/doubles/resource';
import { Follower } from './follower.ts';
import type { ChangeSource } from './port.ts';
import type { LogTerm } from './position-store.ts';
import { Sweeps } from './sweeps.ts';

const account = resource();
const resources = new Map([['account', account]]);
const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

it('C4: what a look at the tables finds while the term ends is swept, though no batch is taken any more', async () => {
  const runtime = manualRuntime();
  const over = new AbortController();
  const source: ChangeSource = {
    open: () => Promise.resolve({ position: '0/1', gap: null, faults: [], lost: [] }),
    stream: (_position, _sink, signal) => ended(signal),
    untilVisible: () => Promise.resolve(true),
    acknowledge: () => undefined,
    verify: async () => {
      over.abort();
      await runtime.timers.sleep(5);
      return { faults: [], lost: [{ table: account.table, message: 'it is another one' }] };
    },
  };
  const saved: string[][] = [];
  const term: LogTerm = {
    stored: { position: '0/1', sweeps: [] },
    signal: new AbortController().signal,
    save: ({ sweeps }) => Promise.resolve(void saved.push(sweeps)),
  };
  const entries = { available: true, invalidateMany: () => Promise.resolve([]) };
  const scanner = { scan: () => Promise.resolve({ next: null, keys: [] }) };
  const sweeps = new Sweeps({ scanner, entries, resources, runtime, onInvalidated: () => {} });
  const nothing = (): void => undefined;
  const follower = new Follower(
    {
      ...{ source, entries, resources, sweeps, runtime },
      outbox: { append: () => Promise.resolve() },
      telemetry: { emit: nothing },
    },
    term,
    { began: nothing, progressed: nothing, faults: nothing, batch: nothing, applied: nothing },
  );
  const running = follower.run(over.signal, null);
  await runtime.advance(2_000);
  await running;
  expect(saved.at(-1)).toEqual(['account']);
  expect(sweeps.pending).toEqual(['account']);
});
