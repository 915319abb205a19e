/** A JSON number that a JavaScript number would not write again as it stands here. */
export class ExactNumber {
  /** What `JSON.stringify` throws: it cannot write such a number, `jsonText` can. */
  static readonly NOT_BUILT_IN = new TypeError(
    'A JSON number with all its digits is written by jsonText.',
  );

  /** As it stands in JSON, such as `1.10`, `1e400` or `-0`. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }

  toJSON(): never {
    throw ExactNumber.NOT_BUILT_IN;
  }
}

/** A value that JSON can carry. Where rows pass it is read by `parseJson` and written by `jsonText`. */
export type JsonValue = string | number | ExactNumber | boolean | null | JsonValue[] | JsonObject;
/** A JSON object. */
export interface JsonObject {
  [name: string]: JsonValue;
}
/** One row as callers see it: column name to value. Big integers and decimals are strings, timestamps ISO 8601 UTC, bytes base64. */
export type Row = JsonObject;
