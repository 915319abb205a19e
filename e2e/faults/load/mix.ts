/** What the callers of a load do, and how often each thing is done. */

export type Doing =
  | 'read'
  | 'readPrimary'
  | 'cacheRead'
  | 'compare'
  | 'put'
  | 'increment'
  | 'compareAndSet'
  | 'delete'
  | 'refused'
  | 'fillAndWrite'
  /** By way of a service's client, as the next ones. */
  | 'clientRead'
  | 'clientCompare'
  | 'clientWrites'
  | 'clientInsert'
  | 'computed'
  /** In a transaction of its own under a guard; on keys of strict resources only. */
  | 'guarded';
export type Mix = Record<Doing, number>;

export const USUAL_MIX: Mix = {
  read: 24,
  readPrimary: 10,
  cacheRead: 14,
  compare: 4,
  put: 10,
  increment: 12,
  compareAndSet: 9,
  delete: 3,
  refused: 6,
  fillAndWrite: 8,
  clientRead: 16,
  clientCompare: 2,
  clientWrites: 4,
  clientInsert: 3,
  computed: 10,
  guarded: 5,
};
