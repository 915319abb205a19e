import type { DeadLetter, Row } from '@lockstep/shared';
import type { Resource } from '../domain/index.ts';

/** The resources of a coordinator, as far as it may do their background work. */
export interface KnownResources {
  resources: ReadonlyMap<string, Resource>;
  /**
   * False if the cluster has switched the resource and this coordinator has not followed: the keys that it would work out
   * can be too few. Absent: it always follows.
   */
  isCurrent?: (resource: Resource) => boolean;
}

/** What must still be done to the cache for a committed write. */
export interface OutboxRow {
  id: string;
  resource: string;
  /** Canonical key text. */
  keyText: string;
  /** Null for an invalidation that a caller asked for after changing the database directly: it removes every value. */
  version: number | null;
  /** Set for an asked-for invalidation of a bare cache key; `resource` and `keyText` are then empty. */
  bareCacheKey: string | null;
  /** Columns of the resource's `invalidates` templates before and after the write. */
  related: { before: Row | null; after: Row | null };
  attempts: number;
  /** Age by the database's clock. */
  ageMs: number;
}

/** An invalidation that somebody asked for without a write; it becomes an outbox row without a version. */
export type AskedInvalidation = { resource: string; keyText: string } | { cacheKey: string };

export interface LeftSteps {
  rows: OutboxRow[];
  /** Whether a step was given up, and waits for an operator. */
  hasDeadLetters: boolean;
}

export interface OutboxStore {
  /** Leaves asked-for invalidations to the relay, in one transaction. */
  append(items: readonly AskedInvalidation[]): Promise<void>;
  /** Removes rows whose cache step is done. */
  remove(ids: readonly string[]): Promise<void>;
  /**
   * Takes up to `limit` due rows, oldest first, that no other relay holds (`FOR UPDATE SKIP LOCKED`), hands them to
   * `deliver` and stores its decision on each, in one transaction. Rows younger than `graceMs` are left to their writer.
   */
  take(
    limit: number,
    graceMs: number,
    deliver: (rows: OutboxRow[]) => Promise<OutboxDecision[]>,
  ): Promise<number>;
  /**
   * What is left to do for the row's writes from this version on, second deletes apart; up to `limit` rows, oldest first.
   * Locks nothing, so a relay may be at work on them.
   */
  leftOf(
    row: Pick<OutboxRow, 'resource' | 'keyText'> & { fromVersion: number },
    limit: number,
  ): Promise<LeftSteps>;
  depth(): Promise<{ depth: number; oldestMs: number | null; deadLetters: number }>;
  deadLetters(limit: number): Promise<DeadLetter[]>;
  /** Puts a dead letter back in line. False where it is not there. */
  retryDeadLetter(id: string): Promise<boolean>;
  discardDeadLetter(id: string): Promise<boolean>;
}

/** What is to become of an outbox row after an attempt to deliver it. */
export type OutboxDecision =
  | { id: string; decision: 'done' }
  /** Try again after `delayMs`; `counted` false where the cache as a whole was away. */
  | { id: string; decision: 'retry'; delayMs: number; counted: boolean; error: string }
  /** Not understood here: another coordinator may know the row's resource. Offered again after `delayMs`. */
  | { id: string; decision: 'left'; delayMs: number; error: string }
  | { id: string; decision: 'dead'; error: string };
