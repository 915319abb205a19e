/** A value that JSON can carry. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
/** A JSON object. */
export interface JsonObject {
  [name: string]: JsonValue;
}
/** One row as callers see it: column name to value. Big integers and decimals are strings, timestamps ISO 8601 UTC, bytes base64. */
export type Row = JsonObject;
