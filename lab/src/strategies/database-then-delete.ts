/** Update the database, then delete the cache entry: "cache-aside". */
import { acknowledged, caller, go, writerNames } from '../model/process.ts';
import { cacheAsideReaders } from '../model/readers.ts';
import { DELETE_FAILS } from '../model/servers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { commit, nothing, type Value } from '../model/world.ts';

export const databaseThenDelete: Strategy = {
  name: 'database-then-delete',
  title: 'update database, then delete cache',
  description: 'A write updates the row, then deletes the cache entry; the delete may fail.',
  bounds: USUAL_BOUNDS,
  cache: 'either',
  faults: [DELETE_FAILS],
  processes: ({ writers, readers }) => [
    ...writerNames(writers).map(writer),
    ...cacheAsideReaders(readers),
  ],
  weaknesses: [
    {
      words: 'a slow reader fills after the delete',
      property: 'staleForGood',
      faults: [],
    },
    { words: 'a failed delete stays', property: 'staleForGood', faults: [DELETE_FAILS] },
  ],
};

const writer = (name: Value) =>
  caller(`Writer ${name}`, {
    update: {
      to: 'Database',
      does: `UPDATE to ${name}`,
      run: (world) => {
        commit(world, name);
        return go('delete');
      },
    },
    delete: {
      to: 'Cache',
      does: 'DEL',
      run: (world) => {
        world.cache = nothing();
        return acknowledged(world, name);
      },
      or: {
        fault: DELETE_FAILS,
        run: (world) => acknowledged(world, name, 'no answer; the write is acknowledged'),
      },
    },
  });
