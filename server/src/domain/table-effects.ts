/** What the database does on its own when a row of a table is written, according to its catalog. */
export interface SideEffects {
  /**
   * Names of the enabled triggers and rules that act when a row of the table, or of a partition of it, is written.
   * Each may change the row further, cancel the statement or put another one in its place.
   */
  triggers: readonly string[];
  /** Whether some of them are rules. What a statement returns is then unreliable. */
  hasRules: boolean;
  /** Whether some constraints or triggers of the table act only at the commit. */
  isDeferred: boolean;
  /** Whether the table is partitioned. A row that a put returns then does not show whether it existed before. */
  isPartitioned: boolean;
}

/**
 * What the catalog says about the tables that a resource's entries are made of. If it changes, rows may have changed
 * without being written (a truncated, exchanged or rebuilt table), or writes may have had unknown effects (a new
 * trigger or foreign key).
 */
export interface TableState {
  /** The server whose numbers these are; states of two servers must not be compared. Empty: the primary's. */
  server: string;
  digest: string;
}

/**
 * A foreign key by which the database itself changes rows of one table (the child) when a row of another one (the
 * parent) is deleted or its columns change. Tables go by the catalog's ids.
 */
export interface ForeignKeyAction {
  name: string;
  parent: string;
  child: string;
  /** The child as it stands in a statement, quoted. */
  childTable: string;
  /** The pairs of columns, in order, with the type of the parent's column. */
  columns: readonly { child: string; parent: string; type: string }[];
  /** `null`, `default`: the new value of the child's columns. */
  onDelete: 'delete' | 'null' | 'default' | null;
  onUpdate: 'follow' | 'null' | 'default' | null;
}
