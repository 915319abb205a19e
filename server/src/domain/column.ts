/**
 * The type of a column as callers see it ([docs/types.md](../../../docs/types.md)). `text` covers every character type,
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

/** `integer[]` is an array of PostgreSQL with any number of dimensions. */
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
  /**
   * Numbered by the database (identity, serial, auto_increment). A put that replaces a row keeps it unless it is given.
   */
  identity?: boolean;
  /** The database considers some different texts equal (`citext`, a nondeterministic collation). */
  inexact?: boolean;
  /**
   * Which differences the database's `=` ignores. `padding`: blanks at the end (`character(n)`, padding collations).
   * `any`: more than that (case, accents). Absent: none.
   */
  looseEquality?: 'padding' | 'any';
  /** MySQL: the collation of a text that is not in `utf8mb4`. The name begins with the character set. */
  collation?: string;
  /** One of a list of texts. */
  enumeration?: true;
  /** MySQL: a `datetime` that the server fills with the current time of the session. */
  filledWithNow?: true;
  /** The texts of a MySQL `enum` or `set`. */
  members?: readonly string[];
  /** MySQL: its dates may have zeros for the month, the day or everything, and end with the year 9999. */
  zeroDates?: true;
  /** The longest text in bytes, if the database would silently cut a longer one; absent otherwise. */
  maxBytes?: number;
  /** Why a resource cannot have the column: the database prints values of its type but accepts none. */
  unusable?: string;
  /** The longest text in characters; null: no limit. */
  maxLength: number | null;
  /** The inclusive bounds of whole numbers; null for other types. */
  range: { min: bigint; max: bigint } | null;
}
