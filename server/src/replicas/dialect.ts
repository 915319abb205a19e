import type { SqlRow, SqlRunner, SqlStatement } from '../database/index.ts';
import type { LogPosition } from '../domain/index.ts';

declare module '../database/statements/sql.ts' {
  interface SqlDialect {
    readonly replicas: ReplicaDialect;
  }
}

export interface ReplicaDialect {
  /** Asks the server how it reports its position. @throws LockstepError `DATABASE_UNAVAILABLE` */
  positions(sql: SqlRunner): Promise<PositionDialect>;
  /** What a primary must have to report a position, in words. */
  readonly primaryNeeds: string;
}

/** How a database reports its log position. */
export interface PositionDialect {
  /** Asks the primary for `position`. */
  primary: SqlStatement;
  /** Asks a replica for `position`: how far its readers see. */
  replica: SqlStatement;
  /** Asks a primary or replica for its `identity`. */
  identity: SqlStatement;
  /** Reads a `position` that was reported; null if there is none, or if it is too long to be passed on. */
  parse(text: string): LogPosition | null;
  /** Whether a replica that answered `text` has everything up to `needed`. */
  hasReached(text: string, needed: LogPosition): boolean;
  /**
   * Whether a server that answered `text` has more than the primary had afterwards: then it follows another primary.
   */
  isAhead(text: string, primary: LogPosition): boolean;
  /** Why a server with the identity `replica` cannot be a replica of the one with `primary`; null if it can. */
  identityFault(primary: string, replica: string): string | null;
}

/** The text that a position statement returned; null if the server has no position. */
export const positionText = (row: SqlRow | undefined): string | null => {
  const text = row?.position?.replaceAll(/\s/g, '') ?? '';
  return text === '' ? null : text;
};
