import type { Strategy } from '../model/strategy.ts';
import { cacheThenDatabase } from './cache-then-database.ts';
import { changeLogAndReplica } from './change-log-and-replica.ts';
import { changeLog } from './change-log.ts';
import { databaseThenCache } from './database-then-cache.ts';
import { databaseThenDelete } from './database-then-delete.ts';
import { delayedDoubleDelete } from './delayed-double-delete.ts';
import { deleteAfterWrite } from './delete-after-write.ts';
import { deleteThenDatabase } from './delete-then-database.ts';
import { distributedLock } from './distributed-lock.ts';
import { queuedDelete } from './queued-delete.ts';
import { routingByKey } from './routing-by-key.ts';
import { strict } from './strict.ts';

/** From the simplest to the safest. */
export const STRATEGIES: readonly Strategy[] = [
  databaseThenCache,
  cacheThenDatabase,
  deleteThenDatabase,
  databaseThenDelete,
  delayedDoubleDelete,
  queuedDelete,
  changeLog,
  changeLogAndReplica,
  routingByKey,
  distributedLock,
  deleteAfterWrite,
  strict,
];
