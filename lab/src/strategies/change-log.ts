/** Update the database only; a subscriber of its change log (binlog, WAL) deletes the cache entry. */
import { acknowledged, caller, type Step, writerNames } from '../model/process.ts';
import { cacheAsideReaders, fromReplica, select } from '../model/readers.ts';
import { deletingSubscriber, replica } from '../model/servers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { commit, type Value } from '../model/world.ts';

const FROM_REPLICA = 'a read goes to a replica';

export const changeLog: Strategy = {
  name: 'change-log',
  title: '… with the change log',
  description:
    'A write updates the row; a change-log subscriber deletes the entry. Some reads use a replica.',
  bounds: USUAL_BOUNDS,
  cache: 'cached',
  faults: [FROM_REPLICA],
  processes: ({ writers, readers }) => [
    ...writerNames(writers).map(databaseWriter),
    deletingSubscriber(),
    replica(),
    ...cacheAsideReaders(readers, fromEither),
  ],
  weaknesses: [
    { words: "a slow reader's fill", property: 'staleForGood', faults: [] },
    { words: 'reading a lagging replica', property: 'staleForGood', faults: [FROM_REPLICA] },
  ],
};

/** A write that leaves the cache alone. */
export const databaseWriter = (name: Value) =>
  caller(`Writer ${name}`, {
    update: {
      to: 'Database',
      does: `UPDATE to ${name}`,
      run: (world) => {
        commit(world, name);
        return acknowledged(world, name);
      },
    },
  });

const fromEither: Step = {
  ...select('fill'),
  or: { fault: FROM_REPLICA, to: 'Replica', run: fromReplica.run },
};
