/** What the columns of a query's result hold, by what the server says of them with the result itself. */
import { ZONELESS } from '../../../database/values/result-types.ts';
import type { ColumnType } from '../../../domain/index.ts';

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
