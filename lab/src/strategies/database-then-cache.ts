/** Update the database, then set the cache to the same value. */
import { acknowledged, caller, go, writerNames } from '../model/process.ts';
import { cacheAsideReaders } from '../model/readers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { commit, plainValue, type Value } from '../model/world.ts';

export const databaseThenCache: Strategy = {
  name: 'database-then-cache',
  title: 'update database, then cache',
  description: 'A write updates the row, then sets the cache entry to what it wrote.',
  bounds: USUAL_BOUNDS,
  cache: 'either',
  faults: [],
  processes: ({ writers, readers }) => [
    ...writerNames(writers).map(writer),
    ...cacheAsideReaders(readers),
  ],
  weaknesses: [
    {
      words: 'two writers in opposite order leave the cache old for good',
      property: 'staleForGood',
      faults: [],
    },
  ],
};

const writer = (name: Value) =>
  caller(`Writer ${name}`, {
    update: {
      to: 'Database',
      does: `UPDATE to ${name}`,
      run: (world) => {
        commit(world, name);
        return go('set');
      },
    },
    set: {
      to: 'Cache',
      does: `SET ${name}`,
      run: (world) => {
        world.cache = plainValue(name);
        return acknowledged(world, name);
      },
    },
  });
