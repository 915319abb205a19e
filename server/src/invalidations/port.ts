import type { JsonValue } from '@lockstep/shared';

/**
 * What a committed transaction of another program asked for, by calling `lockstep_invalidate` or by a capture trigger on
 * the table that it changed. Its cache step is not done.
 */
export interface InvalidationCall {
  id: string;
  resource: string;
  /** The parts of the key, as the writer spelled them: the first ones of a composite key, or none for all rows. */
  parts: readonly JsonValue[];
  /** The changed rows that a capture trigger noted; null: `lockstep_invalidate` was called. */
  changes: JsonValue;
  /** Failed attempts that were counted. */
  attempts: number;
  /** Time since the call, by the database's clock. */
  ageMs: number;
}

/** What becomes of a call that cannot be removed yet. */
export type Postponement =
  /** Tried again after `delayMs`. `counted`: it is one more failed attempt. */
  | { id: string; kind: 'retry'; delayMs: number; counted: boolean; error: string | null }
  /** Its resource is not known here: another coordinator may take it at once. */
  | { id: string; kind: 'unknown'; delayMs: number; error: string }
  | { id: string; kind: 'dead'; error: string };

/** The table of calls. Every method rejects with LockstepError `DATABASE_UNAVAILABLE` if the database does not answer. */
export interface CallStore {
  /** Up to `limit` calls that are due. Nothing is locked: a step that is done twice does no harm. */
  due(limit: number): Promise<InvalidationCall[]>;
  /** Up to `limit` calls that the leader has left: due ones older than `graceMs`, and those whose resource it does not know. */
  left(limit: number, graceMs: number): Promise<InvalidationCall[]>;
  /** Removes calls whose cache step is done. */
  remove(ids: readonly string[]): Promise<void>;
  /** In one transaction. Calls that are gone are left out. */
  postpone(items: readonly Postponement[]): Promise<void>;
}
