/** A value in the log: text or a number as the database writes it, or bytes; undefined if the log leaves it out. */
export type LoggedValue = string | number | Buffer | null | undefined;
/** A row's columns by name, without those that the log leaves out. */
export type LoggedRow = Readonly<Record<string, LoggedValue>>;

/** One row of a configured table that a committed transaction changed. */
export interface RowChange {
  /** As the resources name it. */
  table: string;
  /**
   * The row before the change. Null for an insert, and for an update if the log leaves the former row out; the columns
   * that identify the row are then unchanged.
   */
  before: LoggedRow | null;
  /** The row after the change; null for a delete. */
  after: LoggedRow | null;
  /** For an update without the former row: the columns that are unchanged. */
  unchanged?: readonly string[];
  /** The log leaves out columns of these rows that it should contain. */
  isPartial?: boolean;
}

/**
 * Takes the stream of committed transactions, in the order of their commits. Everything between `begin` and `commit`
 * belongs to one transaction. The sink may act on a change before `commit` arrives, because only committed transactions
 * are streamed.
 */
export interface ChangeSink {
  /** @param transaction.committedAtMs by this process's wall clock, approximately */
  begin(transaction: { committedAtMs: number }): void;
  row(change: RowChange): void;
  /** Lockstep itself wrote this key in this transaction. Comes before the key's row. */
  mark(resource: string, keyText: string, version: number): void;
  /** It is unknown which rows of the table were changed: it was truncated, its columns were altered, … */
  lost(table: string, reason: string): void;
  /** The transaction is complete; streaming can resume from `position`. */
  commit(position: string): void;
  /**
   * Every change of the configured tables before `position` has been given to the sink.
   * @param isUrgent the database waits until the position is acknowledged (it shuts down, or keeps too much of the log)
   */
  caughtUp(position: string, isUrgent: boolean): void;
  /** Null if the sink has room. Otherwise resolves when it has; the sink may not be given anything before. */
  room(): Promise<void> | null;
}

/** What opening the log found: where to stream from, and what may be missing. */
export interface Opened {
  position: string;
  /** Why changes may be missing between the stored position and `position`; null if none are. */
  gap: string | null;
  /** Tables whose changes the log contains only in part, or not at all. */
  faults: TableFault[];
  /** Tables that may have changed while the log was not followed, in a way that the log does not contain. */
  lost: TableMessage[];
}

/** A table, with what is said of it. */
export interface TableMessage {
  table: string;
  message: string;
}

export interface TableFault extends TableMessage {
  /** False where none of its changes are in the log: the next term owes its entries a sweep. */
  isFollowed: boolean;
}

/**
 * The database's log of changes. It has one reader at a time; opening it ends another reader's stream.
 *
 * States: closed -> opened -> streaming -> closed (the stream has ended); it can be opened again.
 */
export interface ChangeSource {
  /**
   * Creates what streaming needs (publication and slot), and finds out whether the log still continues from `stored`.
   * @param stored the position of the last save; null if there is none
   * @param unusable why the stored position cannot be used, as `stream` found; null if it can
   */
  open(stored: string | null, unusable: string | null): Promise<Opened>;
  /** Streams from the position, and resolves when `signal` aborts. @throws PositionLost */
  stream(position: string, sink: ChangeSink, signal: AbortSignal): Promise<void>;
  /**
   * Resolves when every streamed transaction is visible to every reader. A commit is in the log a moment before readers
   * see it. If its keys were invalidated in that moment, a reader could fill the old value again.
   * @returns false if `signal` aborts first
   */
  untilVisible(signal: AbortSignal): Promise<boolean>;
  /** Everything up to `position` is done and saved: the database may discard it. */
  acknowledge(position: string): void;
  /** Checks the tables again. `lost`: tables that were changed in a way that the log does not contain. */
  verify(): Promise<{ faults: TableFault[]; lost: TableMessage[] }>;
  /** What the database keeps of its log for this reader; null if it keeps nothing for readers, or the slot is not there. */
  retainedLog(): Promise<RetainedLog | null>;
}

/** The part of its log that the database keeps because Lockstep has yet to read it. */
export interface RetainedLog {
  slot: string;
  bytes: number;
  /** How much more it keeps before it discards what was not read; null: it has no such bound. */
  leftBytes: number | null;
}

/** The changes of one table that bypassed Lockstep. */
export interface BypassCount {
  table: string;
  changes: number;
  /** Age of the newest change, by the database's clock. */
  agoMs: number;
}

export type ChangeLogState = 'off' | 'waiting' | 'streaming' | 'sweeping' | 'behind' | 'away';

/** The change log's state for operators. */
export interface ChangeLogReport {
  state: ChangeLogState;
  /** From a commit until its invalidations are done; null if unknown. */
  lagMs: number | null;
  /** One line that says what is wrong; null if nothing is. */
  detail: string | null;
  /** How much of its log the database keeps for Lockstep; null if that is not known, and on MySQL and MariaDB. */
  retainedBytes: number | null;
  /** One line if the database keeps too much of its log; null otherwise. */
  retainedWarning: string | null;
}

/** Counts since this process started. */
export interface ChangeLogCounts {
  /** Changed rows taken from the log. */
  changes: number;
  /** Cache keys invalidated. */
  invalidations: number;
  /** Sweeps of a resource's entries that were begun. */
  sweeps: number;
  /** By table: changed rows that no write through Lockstep accounts for. */
  bypassed: ReadonlyMap<string, number>;
}
