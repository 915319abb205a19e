/** What the database does by itself when a row of a table is written, as its catalog says. */
export interface SideEffects {
  /**
   * Names of the enabled triggers and rules that act when a row of the table, or of a partition of it, is written.
   * Each may change the row further, cancel the statement or put another one in its place.
   */
  triggers: readonly string[];
  /** Some of them are rules: what a statement returns is then not to be relied on. */
  hasRules: boolean;
  /** Some constraints or triggers of the table are checked at the commit only. */
  isDeferred: boolean;
  /** The table is partitioned: a row that a put returns does not tell whether it was there before. */
  isPartitioned: boolean;
}

/**
 * What the catalog says of the tables that a resource's entries are made of. Another one means that rows may have
 * changed although nobody wrote them (a truncated, exchanged or rebuilt table), or that writes have changed more than
 * was known of (a new trigger or foreign key).
 */
export interface TableState {
  /** By whose numbers; states of two servers are not to be compared. Empty: the database's own. */
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
  /** In order: what of the child names what of the parent, and the parent's type. */
  columns: readonly { child: string; parent: string; type: string }[];
  /** `null`, `default`: what columns of the child get. */
  onDelete: 'delete' | 'null' | 'default' | null;
  onUpdate: 'follow' | 'null' | 'default' | null;
}
