/** What a column holds, as callers see it. `text` covers every character type, `bytes` is base64, `decimal` is a string, whole numbers are beyond 2^53. */
export type ColumnType =
  | 'integer'
  | 'bigint'
  | 'decimal'
  | 'float'
  | 'text'
  | 'boolean'
  | 'timestamp'
  | 'date'
  | 'time'
  | 'json'
  | 'bytes'
  | 'uuid'
  | 'other';

/** A column as the database describes it. */
export interface Column {
  name: string;
  type: ColumnType;
  /** The database's own name of the type, for messages. */
  sqlType: string;
  nullable: boolean;
  hasDefault: boolean;
  /** Computed by the database (generated, or identity ALWAYS): never written. */
  generated: boolean;
  /** Numbered by the database (identity, serial, auto_increment): a replacing put that does not give it leaves it. */
  identity?: boolean;
  /** Its database takes some different texts for equal (`citext`, a nondeterministic collation). */
  inexact?: boolean;
  /**
   * What its database's `=` takes for equal beyond the same text: `padding`, that is blanks at the end (`character(n)`,
   * collations that pad), or `any`thing more (case, accents). Absent: nothing.
   */
  looseEquality?: 'padding' | 'any';
  /** Greatest length in characters of a text; null: no limit. */
  maxLength: number | null;
  /** Whole numbers: inclusive bounds; null elsewhere. */
  range: { min: bigint; max: bigint } | null;
}
