import type { Key, NewRow, Resource, RowFilter } from '../../domain/index.ts';
import type { Budget, Session } from '../connections/connections.ts';
import type { RawValue, SentSql } from '../connections/driver.ts';
import type { StatementFailure } from '../connections/statement-failure.ts';
import type { AppliedRow, NewKey, RowTransaction, RowWrite, VersionedRow } from '../port.ts';
import type { Attempt } from './attempt.ts';
import type { Outcomes, RefusedWrite } from './outcomes.ts';

/** How a dialect reads one row with its version. */
export interface RowReader {
  /** The statement that reads the row. */
  readonly readSql: (key: Key) => SentSql;
  /** The row, from what `readSql` answered. */
  readonly versionedRow: (key: Key, values: readonly RawValue[]) => VersionedRow;
}

/** Reads a row on the session. @throws StatementFailure */
export async function readRow(
  reader: RowReader,
  session: Session,
  key: Key,
): Promise<VersionedRow> {
  return reader.versionedRow(key, (await session.run(reader.readSql(key))).rows[0] ?? []);
}

/**
 * What became of writes that went in order: an attempt for each; or the failure that took all of them back, and the index
 * of the write that met it (beyond the last: their commit). `lost`: nobody knows.
 */
export type InOrder = { attempts: Attempt[] } | { failure: StatementFailure; at: number };

export type TransactionWrite = RowTransaction['writes'][number];
export type FencedWrite = TransactionWrite & { fence: number };

/** How a dialect reads and writes rows with their versions. All reject with StatementFailure. */
export interface RowDialect extends RowReader {
  readonly outcomes: Outcomes;
  /** In the order of the keys, in one snapshot. */
  readMany(session: Session, resource: Resource, keys: readonly Key[]): Promise<VersionedRow[]>;
  /** Waits for a transaction that is writing the key. */
  awaitCommit(key: Key): Promise<void>;
  /** @returns false where the key has a fence as high, or one that is not held */
  raiseFence(
    key: Key,
    fence: number,
    refused: RefusedWrite | undefined,
    heldFences: readonly number[] | undefined,
  ): Promise<boolean>;
  /** The key columns of random rows. */
  sampleKeys(resource: Resource, count: number): Promise<readonly RawValue[][]>;
  /** The texts of the most recently written keys, newest first. */
  recentKeys(resource: Resource, count: number): Promise<readonly RawValue[][]>;

  /** The key columns of rows that match, in the order of the key. */
  findMatching(resource: Resource, where: RowFilter, limit: number): Promise<readonly RawValue[][]>;
  /**
   * Locks the rows of these keys that match.
   * @returns their key columns, in any order
   */
  lockMatching(
    session: Session,
    keys: readonly Key[],
    where: RowFilter,
  ): Promise<readonly RawValue[][]>;
  makeKey(row: NewRow): Promise<NewKey>;
  /** A write in a transaction of its own. */
  attempt(write: RowWrite, budget: Budget): Promise<Attempt>;
  /**
   * Absent: the database carries out writes of one key one by one only.
   * Carries out writes of one key in one transaction, each as `attempt` would and in this order.
   * @param writes such that `goesInOrder`
   */
  attemptInOrder?(writes: readonly RowWrite[], budget: Budget): Promise<InOrder>;
  /** Whether the write may be one of several in `attemptInOrder`. */
  goesInOrder?(write: RowWrite): boolean;
  /** One of several writes in a transaction, where they are not observed. */
  attemptWithin(session: Session, write: RowWrite): Promise<Attempt>;
  /**
   * Whether the database may do more than these writes of a transaction say. Then each is made first, and finished when
   * all are made and all has fired: a trigger of one may change the row of another.
   */
  areObserved(writes: readonly TransactionWrite[]): boolean;
  /** Makes a change; what it resolves to finishes it. Both reject with ChangeRefused too. */
  make(session: Session, write: RowWrite): Promise<() => Promise<AppliedRow>>;
  /** Fires every trigger and constraint that is deferred to the commit. */
  readonly fireDeferred: (session: Session) => Promise<void>;
  /**
   * Adds and locks the rows of `lockstep_keys`, always in the same order.
   * @returns resource, key, version and fence of each, in any order
   */
  lockKeys(session: Session, keys: readonly Key[]): Promise<readonly RawValue[][]>;
  storeFences(session: Session, writes: readonly FencedWrite[]): Promise<void>;
}
