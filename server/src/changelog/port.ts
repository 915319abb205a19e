/** A value as the log has it: text (or a number) as the database writes it, bytes; undefined where the log leaves it out. */
export type LoggedValue = string | number | Buffer | null | undefined;
/** Columns of a row by name, as far as the log has them. */
export type LoggedRow = Readonly<Record<string, LoggedValue>>;

/** One row of a configured table that a committed transaction changed. */
export interface RowChange {
  /** As the resources name it. */
  table: string;
  /**
   * Before the change; null for an insert, and for an update whose former row the log leaves out: the columns that
   * identify the row are then unchanged.
   */
  before: LoggedRow | null;
  /** After the change; null for a delete. */
  after: LoggedRow | null;
  /** For an update whose former row the log leaves out: the columns that are unchanged. */
  unchanged?: readonly string[];
  /** The log leaves out columns of these rows that it should contain. */
  isPartial?: boolean;
}

/**
 * Takes the stream of committed transactions, in the order of their commits. What it takes between `begin` and
 * `commit` is one transaction. It may be taken and acted upon before its `commit` has come: nothing uncommitted is
 * ever streamed.
 */
export interface ChangeSink {
  /** @param transaction.committedAtMs by this process's wall clock, as well as that is known */
  begin(transaction: { committedAtMs: number }): void;
  row(change: RowChange): void;
  /** Lockstep itself wrote this key in this transaction: it comes before the key's row. */
  mark(resource: string, keyText: string, version: number): void;
  /** It is not known which rows of the table were changed: it was truncated, its columns changed, … */
  lost(table: string, reason: string): void;
  /** The transaction is complete; streaming can go on from `position`. */
  commit(position: string): void;
  /**
   * Nothing that concerns the configured tables is before `position` and untaken.
   * @param isUrgent the database waits for it to be acknowledged (it shuts down, or has too much to keep)
   */
  caughtUp(position: string, isUrgent: boolean): void;
  /** Null where there is room; else wait for it before giving more. */
  room(): Promise<void> | null;
}

/** Where a stream goes on. */
export interface Opened {
  position: string;
  /** Why changes may be missing between what was stored and `position`; null where none are. */
  gap: string | null;
  /** What is wrong with single tables, one line each: their changes come in part, or not at all. */
  faults: TableFault[];
  /** Tables that may have changed while the log was not followed, without a record in it. */
  lost: TableFault[];
}

export interface TableFault {
  table: string;
  message: string;
}

/**
 * The database's log of changes. It has one user at a time; opening it ends another user's stream.
 *
 * States: closed -> opened -> streaming -> closed (the stream has ended); it can be opened again.
 */
export interface ChangeSource {
  /**
   * Makes what streaming needs (publication and slot), and finds out whether `stored` still leads on.
   * @param stored position of the last save; null where there is none
   * @param unusable why the stored position cannot be used, as `stream` said; null where it can
   */
  open(stored: string | null, unusable: string | null): Promise<Opened>;
  /** Streams from the position until `signal` aborts (it then resolves). @throws PositionLost */
  stream(position: string, sink: ChangeSink, signal: AbortSignal): Promise<void>;
  /**
   * Resolves when every transaction that was streamed can be seen by every reader: a commit is in the log a moment
   * before it is visible, and a reader in between would fill the old value again.
   */
  untilVisible(): Promise<void>;
  /** Everything up to `position` is done and stored: the database may forget it. */
  acknowledge(position: string): void;
  /** Looks again at the tables: a fault that is new, or a table that was changed so that changes may be missing. */
  verify(): Promise<{ faults: TableFault[]; lost: TableFault[] }>;
}

/** Changes that went round Lockstep, of one table. */
export interface BypassCount {
  table: string;
  changes: number;
  /** Age of the newest, by the database's clock. */
  agoMs: number;
}

export type ChangeLogState = 'off' | 'waiting' | 'streaming' | 'sweeping' | 'behind' | 'away';

/** What operators see of it. */
export interface ChangeLogReport {
  state: ChangeLogState;
  /** From a commit until its invalidations are done; null where it is not known. */
  lagMs: number | null;
  /** One line that says what is wrong; null where all is well. */
  detail: string | null;
}

/** Counts since this process started. */
export interface ChangeLogCounts {
  /** Changed rows taken from the log. */
  changes: number;
  /** Cache keys invalidated. */
  invalidations: number;
  /** Sweeps of a resource's entries that were begun. */
  sweeps: number;
  /** By table: changed rows that no write of Lockstep's accounts for. */
  bypassed: ReadonlyMap<string, number>;
}
