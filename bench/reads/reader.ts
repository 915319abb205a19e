export const ROW_NAMES = [
  'redis-get',
  'redis-mget',
  'client-get',
  'client-get-many',
  'client-local',
  'client-computed',
  'bentocache-memory',
  'bentocache-redis',
  'cacheable-memory',
  'cacheable-redis',
] as const;
export type RowName = (typeof ROW_NAMES)[number];

/** How many rows there are; every one of them is cached before the rounds begin. */
export const KEYS = 1_000;
/** How many keys a call for many reads. */
export const MANY = 32;

/** One way to read. */
export interface Reader {
  name: RowName;
  keysPerCall: number;
  /** Reads the row of this number, or `MANY` rows from it on, to where a caller has the values. */
  read: (id: number) => Promise<void>;
}

export interface Readers {
  rows: Reader[];
  close: () => Promise<void>;
}

/** What is cached under a number: the same for every row. */
export const valueOf = (id: number) => ({ id, owner: `owner of ${id}`, balance: id * 100 });

export const manyFrom = (id: number): number[] =>
  Array.from({ length: MANY }, (_, at) => (id + at) % KEYS);

export const allIds = (): number[] => Array.from({ length: KEYS }, (_, id) => id);

/** A read that found nothing measures something else. */
export function found<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('A row was not in the cache');
  return value;
}
