/** What a column holds, as callers see it. `text` covers every character type, `bytes` is base64, `decimal` and `bigint` are strings. */
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
  /** Greatest length in characters of a text; null: no limit. */
  maxLength: number | null;
  /** Whole numbers: inclusive bounds; null elsewhere. */
  range: { min: bigint; max: bigint } | null;
}
