import { describe, expect, it } from 'vitest';
import { CacheKeyTemplate, LockstepError } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { systemRuntime } from '../runtime/index.ts';
import { Sweeps } from './sweeps.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const account = resource({ invalidates: [new CacheKeyTemplate('owner:{owner}')] });
const KEYS = ['account:1', 'other:1', 'owner:ann', 'account:2'];

/** A cache of two pages; `onPage` sees each page as it is scanned. */
function sweeps(onPage: (page: number) => void = () => undefined, failures = 0) {
  const gone: string[] = [];
  let left = failures;
  let counted = 0;
  const forgotten: string[][] = [];
  const made = new Sweeps({
    scanner: {
      scan: (cursor) => {
        onPage(cursor === null ? 1 : 2);
        const names = cursor === null ? KEYS.slice(0, 2) : KEYS.slice(2);
        const keys = names.map((cacheKey) => ({ cacheKey, ttlMs: 1 }));
        return Promise.resolve({ next: cursor === null ? 'more' : null, keys });
      },
    },
    entries: {
      invalidateMany: (items) => {
        if (left > 0) {
          left -= 1;
          return Promise.resolve(items.map(() => new LockstepError('CACHE_UNAVAILABLE', 'away')));
        }
        gone.push(...items.map(({ cacheKey }) => cacheKey));
        return Promise.resolve(items.map(() => 'invalidated' as const));
      },
    },
    resources: new Map([['account', account]]),
    forgetLocal: (names) => {
      forgotten.push([...names]);
      return Promise.resolve();
    },
    runtime: systemRuntime(quiet),
    onInvalidated: (by) => {
      counted += by;
    },
  });
  return { made, gone, forgotten, counted: () => counted };
}

describe('a sweep', () => {
  it('C4: takes every entry of the resource, and what hangs on its rows', async () => {
    const { made, gone, forgotten, counted } = sweeps();
    made.ask('account');
    made.run(new AbortController().signal);
    await made.ended();
    expect(gone).toEqual(['account:1', 'owner:ann', 'account:2']);
    expect(counted()).toBe(3);
    expect(forgotten).toEqual([['account']]);
    expect(made.pending).toEqual([]);
  });

  it('C4: asked for while a pass is under way goes round once more', async () => {
    const { made, gone } = sweeps((page) => {
      if (page === 2 && made.begun < 2) made.ask('account');
    });
    made.ask('account');
    made.run(new AbortController().signal);
    await made.ended();
    expect(gone.filter((cacheKey) => cacheKey === 'account:1')).toHaveLength(2);
  });

  it('C8: stays pending where it was stopped, and begins again after a failure', async () => {
    const stopped = sweeps();
    const stop = new AbortController();
    stop.abort();
    stopped.made.ask('account');
    stopped.made.run(stop.signal);
    await stopped.made.ended();
    expect(stopped.made.pending).toEqual(['account']);

    const failing = sweeps(() => undefined, 1);
    failing.made.ask('account');
    failing.made.run(new AbortController().signal);
    await failing.made.ended();
    expect(failing.gone).toContain('account:2');
    expect(failing.made.pending).toEqual([]);
  });
});
