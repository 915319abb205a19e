/** What a benchmark of staleness compares, and what it asks of each of them. */

import { BY_HAND_NAMES } from './by-hand/protocol.ts';

export const LOCKSTEP_NAMES = [
  'delete-after-write',
  'delayed-double-delete',
  'change-log',
  'strict',
  'strict-direct',
] as const;
export type LockstepName = (typeof LOCKSTEP_NAMES)[number];

export const CONTENDER_NAMES = [...BY_HAND_NAMES, ...LOCKSTEP_NAMES] as const;
export type ContenderName = (typeof CONTENDER_NAMES)[number];

/** The strategy of the lab that each of them is on real servers; null where the lab has none that does the same. */
export const LAB_STRATEGIES: Record<ContenderName, string | null> = {
  'database-then-cache': 'database-then-cache',
  'cache-then-database': 'cache-then-database',
  'delete-then-database': 'delete-then-database',
  'cache-aside': 'database-then-delete',
  'double-delete': 'delayed-double-delete',
  'queued-delete': 'queued-delete',
  'change-log-delete': 'change-log',
  'change-log-delete-replica': 'change-log-and-replica',
  'routing-by-key': 'routing-by-key',
  'lock-alone': 'distributed-lock',
  // Its readers take no lock, and its writers delete.
  redlock: null,
  'delete-after-write': 'delete-after-write',
  // With leases, so that no slow reader puts an old value back: other strategies than the lab's of these names.
  'delayed-double-delete': null,
  'change-log': null,
  strict: 'strict',
  // The same strategy as `strict`, read another way.
  'strict-direct': null,
};

/** The contenders that promise never to answer a stale read. */
export const isStrict = (name: ContenderName): boolean =>
  name === 'strict' || name === 'strict-direct';

/** What one read answered. */
export interface Reading {
  /** The row's own count of its writes: the judge goes by this, never by what a server says of itself. */
  n: number;
  fromDatabase: boolean;
}

/** What one write answered. */
export interface Written {
  /** The row's count of writes after it. */
  n: number;
  /** False where the answer said that the cache may still hold an older value. */
  inStep: boolean;
}

/** A process of a contender's, which faults may hit. Calls to one that is down reject. */
export interface ServiceProcess {
  /** False from `kill` until `start` has ended. */
  readonly isUp: boolean;
  /** How it ended by itself, which is a defect; null where only faults ended it. */
  readonly crash: string | null;
  start(): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: its calls wait. */
  pause(): void;
  resume(): void;
}

/**
 * One way to keep a cache and a database in step, open for work. `process` is the index of the process that is asked;
 * a caller has one call in flight at a time. A call that was not answered rejects with a `FailedCall`.
 */
export interface Contender {
  readonly processes: readonly ServiceProcess[];
  read(process: number, caller: number, key: number): Promise<Reading>;
  /** Sets the row's `value` and counts the write. */
  write(process: number, caller: number, key: number, value: number): Promise<Written>;
  /**
   * Reads the row's `counter` by the contender's own read path, and writes what it read plus one: as a service does
   * that decides in its own code what to write.
   */
  readThenWrite(process: number, caller: number, key: number): Promise<Written>;
  close(): Promise<void>;
}

/** A call that was not answered; `kind` is what the report counts it as. */
export class FailedCall extends Error {
  override readonly name = 'FailedCall';
  readonly kind: string;

  constructor(kind: string, detail = '', options?: ErrorOptions) {
    super(detail === '' ? kind : `${kind}: ${detail}`, options);
    this.kind = kind;
  }
}

/** Alike for every contender, so that none is faster or safer by its settings. */
export const LOCK_TTL_MS = 2_000;
export const CACHE_TIMEOUT_MS = 500;
export const VALUE_TTL_S = 600;
