import type { Column, ColumnType } from '../domain/index.ts';
import type { Catalog } from './port.ts';
import columnsSql from './sql/pg/describe-columns.sql?raw';
import keysSql from './sql/pg/describe-keys.sql?raw';
import { quoteTable } from './sql-text.ts';
import type { SqlRow, SqlRunner, SqlStatement } from './sql.ts';
import { WHOLE_RANGES } from './whole-ranges.ts';

const COLUMNS: SqlStatement = { pg: columnsSql, mysql2: '' };
const KEYS: SqlStatement = { pg: keysSql, mysql2: '' };

const TYPES: Record<string, ColumnType> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'bigint',
  numeric: 'decimal',
  float4: 'float',
  float8: 'float',
  text: 'text',
  varchar: 'text',
  bpchar: 'text',
  citext: 'text',
  name: 'text',
  bool: 'boolean',
  timestamp: 'timestamp',
  timestamptz: 'timestamp',
  date: 'date',
  time: 'time',
  timetz: 'time',
  json: 'json',
  jsonb: 'json',
  bytea: 'bytes',
  uuid: 'uuid',
};

/** The catalog of PostgreSQL. Only keys that `on conflict` can name count as unique. */
export function createPgCatalog(sql: SqlRunner): Catalog {
  return {
    async describeTable(table) {
      const bindings = { table: quoteTable('pg', table) };
      const { rows } = await sql.run(COLUMNS, bindings);
      if (rows.length === 0) return null;
      const keys = await sql.run(KEYS, bindings);
      const uniqueKeys = keys.rows.map((row) => JSON.parse(row.columns ?? '[]') as string[]);
      const primary = keys.rows.findIndex((row) => row.is_primary === 't');
      return {
        id: rows[0]?.table_id ?? table,
        ...(rows[0]?.schema ? { schema: rows[0].schema } : {}),
        columns: rows.map(toColumn),
        primaryKey: uniqueKeys[primary] ?? [],
        uniqueKeys,
      };
    },
  };
}

function toColumn(row: SqlRow): Column {
  const base = row.base_type ?? '';
  const type = TYPES[base] ?? 'other';
  const isSized = base === 'varchar' || base === 'bpchar';
  return {
    name: row.name ?? '',
    type,
    sqlType: row.sql_type ?? '',
    nullable: row.nullable === 't',
    hasDefault: row.has_default === 't',
    generated: row.computed === 't' || row.identity === 'a',
    maxLength: isSized && row.max_length !== null ? Number(row.max_length) : null,
    range: WHOLE_RANGES[base] ?? null,
    ...(row.serial === 't' || row.identity !== '' ? { identity: true } : {}),
    ...(base === 'citext' || row.nondeterministic === 't'
      ? { inexact: true, looseEquality: 'any' as const }
      : {}),
    ...(base === 'bpchar' ? { looseEquality: 'padding' as const } : {}),
  };
}
