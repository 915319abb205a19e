/**
 * Delete the cache entry, update the database, and after a delay delete the entry again. No delay is long enough for
 * every reader: here a step may take any time, so the second delete may come at any time after the first.
 */
import { acknowledge, caller, done, go, mayCrash, CRASH, writerNames } from '../model/process.ts';
import { cacheAsideReaders } from '../model/readers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { commit, nothing, type Value } from '../model/world.ts';

export const delayedDoubleDelete: Strategy = {
  name: 'delayed-double-delete',
  title: 'delayed double delete',
  description:
    'A write deletes the entry, updates the row, is acknowledged, and later deletes again.',
  bounds: USUAL_BOUNDS,
  cache: 'either',
  faults: [CRASH],
  processes: ({ writers, readers }) => [
    ...writerNames(writers).map((name) => mayCrash(writer(name))),
    ...cacheAsideReaders(readers),
  ],
  weaknesses: [
    { words: 'a fill after the second delete', property: 'staleForGood', faults: [] },
    { words: 'a crash before it', property: 'staleForGood', faults: [CRASH] },
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
        acknowledge(world, name);
        return go('delete-again', 'acknowledged');
      },
    },
    'delete-again': {
      to: 'Cache',
      does: 'DEL, after the delay',
      run: (world) => {
        world.cache = nothing();
        return done();
      },
    },
  });
