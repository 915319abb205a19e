import type { NodeStatus } from '@lockstep/shared';
import type { VersionedRow } from '../database/port.ts';
import type { Key, LogPosition } from '../domain/index.ts';

/** Where the primary's log is. */
export interface PrimaryLog {
  /**
   * A position that covers every commit that was acknowledged, or could be read, before this call. Null if it cannot be
   * found out in time. Never rejects.
   */
  current(): Promise<LogPosition | null>;
}

/** What a replica must have reached before it may be read. */
export interface ReplicaNeed {
  /** The replica must have reached all of these. Empty: `youngerThanMs` is enough. */
  after: readonly LogPosition[];
  /**
   * The replica must have reached a position that the primary had at most this many ms before this call; the cache has
   * traces of all younger changes. Absent: `after` is enough.
   */
  youngerThanMs?: number;
  leastVersion: number;
}

export interface ReplicaRow {
  row: VersionedRow;
  /** A position of the primary. The row includes every change up to it. */
  reached: LogPosition;
  /** Whatever has reached this position has this row or a newer one; `*` if unknown. */
  upTo: LogPosition;
}

/** The database's replicas as readers use them, and the primary's log that they follow. */
export interface Replicas extends PrimaryLog {
  /** The position of the primary that was taken last; null before the first. */
  latest(): LogPosition | null;
  /** The row from a replica that has everything needed; null: read the primary. Never rejects. */
  read(key: Key, need: ReplicaNeed): Promise<ReplicaRow | null>;
}

/** One replica as operators see it. */
export interface ReplicaReport {
  name: string;
  status: NodeStatus['status'];
  rttMs: number | null;
  sinceMs: number;
  /** How far it is behind the primary; null if unknown. */
  lagMs: number | null;
  /** Why it is not up, in a few words. */
  fault?: string;
}
