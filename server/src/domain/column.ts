/**
 * What a column holds, as callers see it ([docs/types.md](../../../docs/types.md)). `text` covers every character type,
 * `bytes` is base64, `decimal` is a string, whole numbers are strings beyond 2^53; `real` has single precision.
 */
export type ScalarType =
  | 'integer'
  | 'bigint'
  | 'decimal'
  | 'real'
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

/** A time without a zone, with the zone of its values: `timestamp@Europe/Berlin` (`time-zone.ts`). */
export type LocalTime = `timestamp@${string}`;

/** `integer[]`: an array of PostgreSQL, of any number of dimensions. */
export type ColumnType = ScalarType | LocalTime | `${ScalarType}[]`;

/** A column as the database describes it. */
export interface Column {
  name: string;
  type: ColumnType;
  /** The database's own name of the type, for messages and casts. */
  sqlType: string;
  /** The type beneath a domain of PostgreSQL; absent: `sqlType`. */
  baseType?: string;
  nullable: boolean;
  hasDefault: boolean;
  /**
   * What the database evaluates for a new row that does not give the column: a default, or the next number of a sequence.
   * Absent: it has no such expression (MySQL numbers an `auto_increment` column only while it inserts).
   */
  defaultSql?: string;
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
  /** MySQL: the collation of a text that is not in `utf8mb4`. Its set of characters is the name's beginning. */
  collation?: string;
  /** One of a list of texts. */
  enumeration?: true;
  /** MySQL: a `datetime` that the server fills with the present time of the session. */
  filledWithNow?: true;
  /** The texts of a MySQL `enum` or `set`. */
  members?: readonly string[];
  /** MySQL: its dates may have zeros in the place of a month, a day or all, and end with the year 9999. */
  zeroDates?: true;
  /** Greatest length in bytes of a text that its database would cut without a word; absent: no such. */
  maxBytes?: number;
  /** Its database writes values of the type and takes none: why a resource cannot have the column. */
  unusable?: string;
  /** Greatest length in characters of a text; null: no limit. */
  maxLength: number | null;
  /** Whole numbers: inclusive bounds; null elsewhere. */
  range: { min: bigint; max: bigint } | null;
}
