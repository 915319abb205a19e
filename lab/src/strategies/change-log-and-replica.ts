/** The change log's subscriber deletes the entry, and every miss is read from a replica. */
import { writerNames } from '../model/process.ts';
import { cacheAsideReaders, fromReplica } from '../model/readers.ts';
import { deletingSubscriber, replica } from '../model/servers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { databaseWriter } from './change-log.ts';

export const changeLogAndReplica: Strategy = {
  name: 'change-log-and-replica',
  title: 'the same with a replica',
  description:
    'A change-log subscriber deletes the entry; a miss is read from a replica, and filled.',
  bounds: USUAL_BOUNDS,
  cache: 'cached',
  faults: [],
  processes: ({ writers, readers }) => [
    ...writerNames(writers).map(databaseWriter),
    deletingSubscriber(),
    replica(),
    ...cacheAsideReaders(readers, fromReplica),
  ],
  weaknesses: [
    {
      words: "the replica's old value, after every delete",
      property: 'staleForGood',
      faults: [],
    },
  ],
};
