import type { NodeStatus } from '@lockstep/shared';
import type { VersionedRow } from '../database/port.ts';
import type { Key, LogPosition } from '../domain/index.ts';

/** Where the primary's log is. */
export interface PrimaryLog {
  /**
   * A position that covers every commit which was acknowledged, or could be read, before this call. Null where it
   * cannot be learnt in time. Never rejects.
   */
  current(): Promise<LogPosition | null>;
}

/** What a replica must have reached before it may be read. */
export interface ReplicaNeed {
  /** At least these; none: what `youngerThanMs` asks for is enough. */
  after: readonly LogPosition[];
  /**
   * The replica must have reached a position of the primary that was taken at most this many ms before this call, because
   * the cache has no mark of younger changes. Absent: `after` is enough.
   */
  youngerThanMs?: number;
  leastVersion: number;
}

export interface ReplicaRow {
  row: VersionedRow;
  /** Taken from the primary; everything up to it is in what was read. */
  reached: LogPosition;
  /** Everything that has reached it has what was read; `*` where that is not known. */
  upTo: LogPosition;
}

/** The database's replicas as readers use them, and the primary's log that they follow. */
export interface Replicas extends PrimaryLog {
  /** The position of the primary that was taken last; null before the first. */
  latest(): LogPosition | null;
  /** The row from a replica that has all that is needed; null: read the primary. Never rejects. */
  read(key: Key, need: ReplicaNeed): Promise<ReplicaRow | null>;
}

/** One replica as operators see it. */
export interface ReplicaReport {
  name: string;
  status: NodeStatus['status'];
  rttMs: number | null;
  sinceMs: number;
  /** How far it is behind the primary; null where it is not known. */
  lagMs: number | null;
  /** Why it is not up, in a few words. */
  fault?: string;
}
