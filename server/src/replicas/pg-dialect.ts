import { logPosition, rankOf, type LogPosition } from '../domain/index.ts';
import type { PositionDialect } from './position-dialect.ts';
import identitySql from './sql/pg/primary-identity.sql?raw';
import primarySql from './sql/pg/primary.sql?raw';
import replicaSql from './sql/pg/replica.sql?raw';

const LSN = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i;

/** PostgreSQL: the rank is the byte of the write-ahead log, and says all. */
export const pgDialect: PositionDialect = {
  primary: { pg: primarySql, mysql2: '' },
  replica: { pg: replicaSql, mysql2: '' },
  identity: { pg: identitySql, mysql2: '' },
  parse,
  hasReached: (text, needed) => {
    const at = parse(text);
    return at !== null && rankOf(at) >= rankOf(needed);
  },
  // A standby is a copy of its primary, with its identifier.
  identityFault: (primary, replica) =>
    primary === replica ? null : 'it is a standby of another system',
};

function parse(text: string): LogPosition | null {
  const [, high, low] = LSN.exec(text) ?? [];
  if (high === undefined || low === undefined) return null;
  return logPosition((BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`));
}
