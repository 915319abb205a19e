/**
 * Update the database, then send a message; its consumer deletes the cache entry, and tries again until that succeeds.
 */
import {
  acknowledged,
  background,
  caller,
  CRASH,
  go,
  mayCrash,
  writerNames,
} from '../model/process.ts';
import { cacheAsideReaders } from '../model/readers.ts';
import { DELETE_FAILS } from '../model/servers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { commit, nothing, type Value } from '../model/world.ts';

export const queuedDelete: Strategy = {
  name: 'queued-delete',
  title: '… with a queue for the delete',
  description: 'A write updates the row and sends a message; its consumer deletes the entry.',
  bounds: USUAL_BOUNDS,
  cache: 'either',
  faults: [DELETE_FAILS, CRASH],
  processes: ({ writers, readers }) => [
    ...writerNames(writers).map((name) => mayCrash(writer(name))),
    consumer,
    ...cacheAsideReaders(readers),
  ],
  weaknesses: [
    { words: "a slow reader's fill", property: 'staleForGood', faults: [] },
    { words: 'a crash before the message is sent', property: 'staleForGood', faults: [CRASH] },
  ],
};

const writer = (name: Value) =>
  caller(`Writer ${name}`, {
    update: {
      to: 'Database',
      does: `UPDATE to ${name}`,
      run: (world) => {
        commit(world, name);
        return go('send');
      },
    },
    send: {
      to: 'Queue',
      does: 'send "delete"',
      run: (world) => {
        world.queue += name;
        return acknowledged(world, name);
      },
    },
  });

const consumer = background('Consumer', {
  delete: {
    to: 'Cache',
    does: 'DEL, for the next message',
    when: ({ queue }) => queue !== '',
    run: (world) => {
      world.cache = nothing();
      world.queue = world.queue.slice(1);
      return go('delete');
    },
    or: { fault: DELETE_FAILS, run: () => go('delete', 'no answer; the message stays') },
  },
});
