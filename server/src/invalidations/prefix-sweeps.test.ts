import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { column, resource } from '@lockstep/testkit/doubles/resource';
import { CacheKeyTemplate, keyPrefix, LockstepError } from '../domain/index.ts';
import type { PrefixCall } from './plan.ts';
import { PrefixSweeps } from './prefix-sweeps.ts';

const route = resource({
  name: 'route',
  keyColumns: [column('origin', 'text'), column('place', 'text')],
  cacheKey: new CacheKeyTemplate('route:{origin}:{place}'),
});
const KEYS = ['route:a:1', 'route:b:1', 'other:1', 'route:a:2'];

let lastId = 0;
const asking = (...parts: string[]): PrefixCall => ({
  call: { id: String(++lastId), resource: 'route', parts, changes: null, attempts: 0, ageMs: 0 },
  prefix: keyPrefix(route, parts),
});

/** A cache of two pages; `onPage` sees each page as it is scanned. */
function set(onPage: (page: number) => void = () => undefined) {
  const runtime = manualRuntime();
  const gone: string[] = [];
  const swept: string[][] = [];
  /** What clients were told to forget, with how many calls counted as swept by then. */
  const forgotten: [names: string, swept: number][] = [];
  const state = { failures: 0, pages: 0 };
  const sweeps = new PrefixSweeps({
    scanner: {
      scan: async (cursor) => {
        state.pages += 1;
        await runtime.timers.sleep(10);
        onPage(cursor === null ? 1 : 2);
        const names = cursor === null ? KEYS.slice(0, 2) : KEYS.slice(2);
        const keys = names.map((cacheKey) => ({ cacheKey, ttlMs: 1 }));
        return { next: cursor === null ? 'more' : null, keys };
      },
    },
    entries: {
      invalidateMany: (items) => {
        if (state.failures-- > 0)
          return Promise.resolve(items.map(() => new LockstepError('CACHE_UNAVAILABLE', 'away')));
        gone.push(...items.map(({ cacheKey }) => cacheKey));
        return Promise.resolve(items.map(() => 'invalidated' as const));
      },
    },
    forgetLocal: (names) => {
      forgotten.push([names.join(), swept.length]);
      return Promise.resolve();
    },
    runtime,
    onSwept: (calls) => swept.push(calls.map(({ call }) => call.parts.join())),
  });
  return { runtime, sweeps, gone, swept, forgotten, state };
}

describe('sweeps for calls that name many rows', () => {
  it('serve all calls of a moment by one pass, and each once', async () => {
    const { runtime, sweeps, gone, swept, state } = set();
    const twice = asking('a');
    for (const call of [twice, twice, asking('a')]) sweeps.ask(call);
    await runtime.advance(100);
    expect(gone).toEqual(['route:a:1', 'route:a:2']);
    expect(swept).toEqual([['a', 'a']]);
    expect(state.pages).toBe(2);
  });

  it('W19: tell clients to forget the resource before the call counts as swept', async () => {
    const { runtime, sweeps, swept, forgotten } = set();
    sweeps.ask(asking('a'));
    await runtime.advance(100);
    expect(swept).toEqual([['a']]);
    expect(forgotten).toEqual([['route', 0]]);
  });

  it('W19: begin once more for a call that comes during a pass', async () => {
    let ask = (): void => undefined;
    const { runtime, sweeps, gone, swept } = set((page) => {
      if (page === 2) ask();
    });
    ask = () => {
      ask = () => undefined;
      sweeps.ask(asking('b'));
    };
    sweeps.ask(asking('a'));
    await runtime.advance(100);
    expect(swept).toEqual([['a'], ['b']]);
    expect(gone).toEqual(['route:a:1', 'route:a:2', 'route:b:1']);
  });

  it('W19: report nothing as swept before the whole pass has succeeded', async () => {
    const { runtime, sweeps, gone, swept, state } = set();
    state.failures = 1;
    sweeps.ask(asking());
    await runtime.advance(100);
    expect(swept).toEqual([]);
    await runtime.advance(400);
    expect(swept).toEqual([['']]);
    expect(gone).toEqual(['route:a:1', 'route:b:1', 'route:a:2']);
  });

  it('W19: report nothing as swept that a stop has cut short', async () => {
    const { runtime, sweeps, swept } = set();
    sweeps.ask(asking());
    await runtime.advance(5);
    const stopped = sweeps.stop();
    await runtime.advance(100);
    await stopped;
    expect(swept).toEqual([]);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('take the whole resource in place of very many prefixes', async () => {
    const { runtime, sweeps, gone } = set();
    sweeps.ask(asking('first'));
    for (let at = 0; at < 65; at += 1) sweeps.ask(asking(`none${at}`));
    await runtime.advance(100);
    expect(gone).toEqual(['route:a:1', 'route:b:1', 'route:a:2']);
  });
});
