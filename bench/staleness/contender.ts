/** The contenders of the staleness benchmark, and the interface that each implements. */

import { BY_HAND_NAMES } from './by-hand/protocol.ts';

export const LOCKSTEP_NAMES = [
  'delete-after-write',
  'delayed-double-delete',
  'change-log',
  'strict',
  'client-delete-after-write',
  'client-strict',
] as const;
export type LockstepName = (typeof LOCKSTEP_NAMES)[number];

export const CONTENDER_NAMES = [...BY_HAND_NAMES, ...LOCKSTEP_NAMES] as const;
export type ContenderName = (typeof CONTENDER_NAMES)[number];

/** For each contender the strategy of the lab that works like it; null if the lab has no such strategy. */
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
  // Unlike the lab's strategies of these names, these have leases, so that no slow reader puts an old value back.
  'delayed-double-delete': null,
  'change-log': null,
  strict: 'strict',
  // The same strategies by `@lockstep/client`, which reads Redis itself.
  'client-delete-after-write': null,
  'client-strict': null,
};

/** The contenders that promise never to answer a stale read. */
export const isStrict = (name: ContenderName): boolean =>
  name === 'strict' || name === 'client-strict';

/** What one read answered. */
export interface Reading {
  /** The row's own count of its writes. The judge uses only this, and nothing that a server reports about itself. */
  n: number;
  fromDatabase: boolean;
}

/** What one write answered. */
export interface Written {
  /** The row's count of writes after this one. */
  n: number;
  /** False if the answer said that the cache may still hold an older value. */
  inStep: boolean;
}

/** A process of a contender, which faults may affect. Calls reject while it is down. */
export interface ServiceProcess {
  /** False from `kill` until `start` has ended. */
  readonly isUp: boolean;
  /** How it ended on its own, which is a defect; null if only faults have ended it. */
  readonly crash: string | null;
  start(): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: its calls wait. */
  pause(): void;
  resume(): void;
}

/**
 * One way to keep a cache and a database in step, ready for calls. `process` is the index of the process that is
 * called. A caller has one call in flight at a time. A call without an answer rejects with a `FailedCall`.
 */
export interface Contender {
  readonly processes: readonly ServiceProcess[];
  read(process: number, caller: number, key: number): Promise<Reading>;
  /** Sets the row's `value` and counts the write. */
  write(process: number, caller: number, key: number, value: number): Promise<Written>;
  /**
   * Reads the row's `counter` by the contender's own read path, and writes that value plus one, like a service that
   * decides in its own code what to write.
   */
  readThenWrite(process: number, caller: number, key: number): Promise<Written>;
  close(): Promise<void>;
}

/** A call without an answer. The report counts failures by `kind`. */
export class FailedCall extends Error {
  override readonly name = 'FailedCall';
  readonly kind: string;

  constructor(kind: string, detail = '', options?: ErrorOptions) {
    super(detail === '' ? kind : `${kind}: ${detail}`, options);
    this.kind = kind;
  }
}

/** The same for every contender, so that none is faster or safer because of its settings. */
export const LOCK_TTL_MS = 2_000;
export const CACHE_TIMEOUT_MS = 500;
export const VALUE_TTL_S = 600;
