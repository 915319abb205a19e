/** Delete the cache entry, then update the database. */
import { acknowledged, caller, go, writerNames } from '../model/process.ts';
import { cacheAsideReaders } from '../model/readers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { commit, nothing, type Value } from '../model/world.ts';

export const deleteThenDatabase: Strategy = {
  name: 'delete-then-database',
  title: 'delete cache, then update database',
  description: 'A write deletes the cache entry, then updates the row; readers fill on a miss.',
  bounds: USUAL_BOUNDS,
  cache: 'cached',
  faults: [],
  processes: ({ writers, readers }) => [
    ...writerNames(writers).map(writer),
    ...cacheAsideReaders(readers),
  ],
  weaknesses: [
    {
      words: 'a reader fills the old value in between, for good',
      property: 'staleForGood',
      faults: [],
    },
  ],
};

const writer = (name: Value) =>
  caller(`Writer ${name}`, {
    delete: {
      to: 'Cache',
      does: 'DEL',
      run: (world) => {
        world.cache = nothing();
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
    },
  });
