import { ZONELESS } from '../../../database/values/result-types.ts';
import type { ColumnType } from '../../../domain/index.ts';

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
