/** The messages between the load and a hand-written service: each is a batch of small tuples. */

import type { Servers } from '../servers.ts';

export const BY_HAND_NAMES = [
  'database-then-cache',
  'cache-then-database',
  'delete-then-database',
  'cache-aside',
  'double-delete',
  'queued-delete',
  'change-log-delete',
  'change-log-delete-replica',
  'routing-by-key',
  'lock-alone',
  'redlock',
] as const;
export type ByHandName = (typeof BY_HAND_NAMES)[number];

export const isByHand = (name: string): name is ByHandName =>
  BY_HAND_NAMES.some((known) => known === name);

/** Whether a subscriber of the change log deletes what the contender has changed. */
export const hasSubscriber = (name: string): boolean =>
  name === 'change-log-delete' || readsReplica(name);

/** Whether the contender fills the cache from a replica. */
export const readsReplica = (name: string): boolean => name === 'change-log-delete-replica';

/** The configuration of a service process: one JSON argument. */
export interface ServiceOptions extends Servers {
  name: ByHandName;
  table: string;
  /** Its place among the service's processes, from 0. */
  index: number;
}

export type Operation = 'read' | 'write' | 'readThenWrite';

export type Call = readonly [id: number, operation: Operation, key: number, value: number];
/** `answer` is the row's count of writes, or the kind of failure. */
export type Reply = readonly [id: number, answer: number | string, fromDatabase: boolean];

export type ToService = { calls: readonly Call[] } | 'end';
export type FromService = { replies: readonly Reply[] } | 'ready';
