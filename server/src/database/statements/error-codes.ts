/** A database's codes of errors, SQLSTATE or the server's own, by what they mean. */
export interface ErrorCodes {
  /** The user or the password is refused. */
  readonly wrongPassword: readonly string[];
  /** The user may not come from this address. */
  readonly wrongAddress: readonly string[];
  readonly noSuchDatabase: readonly string[];
  readonly noSuchTable: readonly string[];
  /** A right is missing: on a table, a column, a database, a routine. */
  readonly denied: readonly string[];
  /** A right is missing that is not given on one of these. */
  readonly deniedElsewhere: readonly string[];
  /** Only connections with TLS are accepted. */
  readonly withoutTls: readonly string[];
  /** The server is starting up or shutting down. */
  readonly starting: readonly string[];
  readonly tooManyConnections: readonly string[];
  /** The column's or the database's character set lacks a character. */
  readonly outsideCharset: readonly string[];
  /** The text is no value of the type, or beyond its range. */
  readonly outsideType: readonly string[];
  /** A statement that writes, in a transaction that only reads. */
  readonly writes: readonly string[];
}
