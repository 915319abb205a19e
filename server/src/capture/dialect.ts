import type { SqlRunner } from '../database/index.ts';
import type { CapturedTable } from './captured-tables.ts';

/** A trigger that is there. */
export interface FoundTrigger {
  name: string;
  isEnabled: boolean;
  /** The text of what it does. */
  body: string;
}

/** A captured table as the database has it. */
export interface FoundTable {
  /** PostgreSQL: it has partitions or is one. */
  isPartitioned: boolean;
  /** Only capture triggers. */
  triggers: readonly FoundTrigger[];
  /** Changes that no trigger sees, in words. */
  unseen: readonly string[];
}

/** The triggers that a table should have. */
export interface WantedTriggers {
  names: readonly string[];
  /** Stands in the text of each: another one means that the trigger is outdated. */
  digest: string;
  /** Statements that remove whatever is there under these names. */
  remove: readonly string[];
  create: readonly string[];
}

/** What an uninstall removes. */
export interface InstalledTriggers {
  /** Whose these are, for the answer. */
  name: string;
  remove: readonly string[];
}

export interface CaptureDialect {
  /** Where Lockstep's own tables are, quoted; null before they can take captured rows. */
  place(sql: SqlRunner): Promise<string | null>;
  /** Null: there is no such table. */
  find(sql: SqlRunner, table: CapturedTable): Promise<FoundTable | null>;
  wanted(table: CapturedTable, found: FoundTable, place: string): WantedTriggers;
  /** All that is installed for the Lockstep at this place. */
  installed(sql: SqlRunner, place: string): Promise<InstalledTriggers[]>;
  /**
   * Whether the rows are noted that other triggers change in Lockstep's own writes. MySQL and MariaDB do not tell how deep a
   * trigger is, so there all of Lockstep's session counts as its own.
   */
  readonly notesOtherTriggers: boolean;
  /** Whether the triggers of a table change together or not at all; otherwise each statement commits by itself. */
  readonly isTransactional: boolean;
}
