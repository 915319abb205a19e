/** Set the cache to the new value, then update the database. */
import { acknowledged, caller, done, go, writerNames } from '../model/process.ts';
import { cacheAsideReaders } from '../model/readers.ts';
import { forgetfulCache, FORGETS, REFUSED } from '../model/servers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { commit, plainValue, type Value } from '../model/world.ts';

export const cacheThenDatabase: Strategy = {
  name: 'cache-then-database',
  title: 'update cache, then database',
  description: 'A write sets the cache entry, then updates the row, which the database may refuse.',
  bounds: USUAL_BOUNDS,
  cache: 'cached',
  faults: [REFUSED, FORGETS],
  processes: ({ writers, readers }) => [
    ...writerNames(writers).map(writer),
    ...cacheAsideReaders(readers),
    forgetfulCache(),
  ],
  weaknesses: [
    {
      words: 'the database write fails: the cache shows what never was',
      property: 'neverWas',
      faults: [REFUSED],
    },
    {
      words: 'and later "reverts"',
      property: 'staleForAWhile',
      faults: [REFUSED, FORGETS],
    },
    {
      words: 'two writers in opposite order leave the cache old for good',
      property: 'staleForGood',
      faults: [],
    },
  ],
};

const writer = (name: Value) =>
  caller(`Writer ${name}`, {
    set: {
      to: 'Cache',
      does: `SET ${name}`,
      run: (world) => {
        world.cache = plainValue(name);
        return go('update');
      },
    },
    update: {
      to: 'Database',
      does: `UPDATE to ${name}`,
      run: (world) => {
        commit(world, name);
        return acknowledged(world, name);
      },
      or: { fault: REFUSED, run: () => done('refused') },
    },
  });
