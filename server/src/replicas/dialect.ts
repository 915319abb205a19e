import type { SqlRow, SqlStatement } from '../database/index.ts';
import type { LogPosition } from '../domain/index.ts';

/** How one kind of database reports its log position. */
export interface PositionDialect {
  /** Asks the primary for `position`. */
  primary: SqlStatement;
  /** Asks a replica for `position`: what readers of it see by now. */
  replica: SqlStatement;
  /** Asks either for its `identity`. */
  identity: SqlStatement;
  /** Reads a `position` that was reported; null if there is none, or if it is too long to be passed on. */
  parse(text: string): LogPosition | null;
  /** Whether a replica that answered `text` has everything up to `needed`. */
  hasReached(text: string, needed: LogPosition): boolean;
  /** Whether a server that answered `text` has more than the primary had later: then it follows another one. */
  isAhead(text: string, primary: LogPosition): boolean;
  /** Why a server of `replica`'s identity cannot be a replica of the primary's; null where it can. */
  identityFault(primary: string, replica: string): string | null;
}

/** What a position statement answered; null if the server has none. */
export const positionText = (row: SqlRow | undefined): string | null => {
  const text = row?.position?.replaceAll(/\s/g, '') ?? '';
  return text === '' ? null : text;
};
