/** What the columns of a query's result hold, by what the servers say of them with the result itself. */
import { type ColumnType, isUtc } from '../../domain/index.ts';

/** A time without a zone; the result does not say which zone it is in. */
const ZONELESS = 'timestamp@';

/**
 * What a column of a result holds where times without a zone are of this one.
 * @param isInSessionZone the time is shown in the session's zone although its type names UTC
 */
export function resultType(
  type: ColumnType,
  isInSessionZone: boolean,
  timeZone: string,
): ColumnType {
  if (type !== ZONELESS && !isInSessionZone) return type;
  return isUtc(timeZone) ? 'timestamp' : `timestamp@${timeZone}`;
}

/** PostgreSQL's built-in types by their fixed numbers; every other one is text as the database writes it. */
const PG_TYPES: Readonly<Record<number, ColumnType>> = {
  16: 'boolean',
  17: 'bytes',
  18: 'text',
  19: 'text',
  20: 'bigint',
  21: 'integer',
  23: 'integer',
  25: 'text',
  114: 'json',
  700: 'float',
  701: 'float',
  1042: 'text',
  1043: 'text',
  1082: 'date',
  1083: 'time',
  1114: ZONELESS,
  1184: 'timestamp',
  1266: 'time',
  1700: 'decimal',
  2950: 'uuid',
  3802: 'json',
};

export const pgResultType = (oid: number): ColumnType => PG_TYPES[oid] ?? 'other';

/** The part of a result's column from which its type is known. */
interface MysqlField {
  columnType?: number | undefined;
  columnLength?: number | undefined;
  characterSet?: number | undefined;
  /** MariaDB's own: what it says of a type that looks like text otherwise. */
  extendedTypeName?: string | undefined;
  extendedFormat?: string | undefined;
}

/** The character set that stands for bytes. */
const BINARY = 63;
const TINY = 1;
const BIT = 16;

const MYSQL_TYPES: Readonly<Record<number, ColumnType>> = {
  0: 'decimal',
  246: 'decimal',
  1: 'integer',
  2: 'integer',
  9: 'integer',
  3: 'integer',
  13: 'integer',
  8: 'bigint',
  4: 'float',
  5: 'float',
  7: 'timestamp',
  12: ZONELESS,
  10: 'date',
  14: 'date',
  11: 'time',
  245: 'json',
  16: 'bytes',
};

/** As for a table's columns, `tinyint(1)` is a boolean. */
export function mysqlResultType(field: MysqlField): ColumnType {
  const { columnType = -1, columnLength, characterSet } = field;
  if (field.extendedFormat === 'json') return 'json';
  if (field.extendedTypeName === 'uuid') return 'uuid';
  if (columnLength === 1 && (columnType === TINY || columnType === BIT)) return 'boolean';
  const known = MYSQL_TYPES[columnType];
  if (known !== undefined) return known;
  return characterSet === BINARY ? 'bytes' : 'text';
}
