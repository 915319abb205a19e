import type { Column, ColumnType, ForeignKeyAction, ScalarType } from '../../../domain/index.ts';
import type { Catalog } from '../../../database/port.ts';
import { SQL } from './sql-texts.ts';
import { quoteTable } from '../../../database/statements/sql-text.ts';
import type { SqlRow, SqlRunner, SqlStatement } from '../../../database/statements/sql.ts';
import { WHOLE_RANGES } from '../../../database/values/whole-ranges.ts';
import { POSTGRES } from '../spelling.ts';

const COLUMNS: SqlStatement = { pg: SQL.catalog['describe-columns'] };
const KEYS: SqlStatement = { pg: SQL.catalog['describe-keys'] };
const FOREIGN_KEYS: SqlStatement = { pg: SQL.catalog['list-foreign-key-actions'] };
const SIDE_EFFECTS: SqlStatement = { pg: SQL.catalog['describe-side-effects'] };

const TYPES: Record<string, ScalarType> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'bigint',
  numeric: 'decimal',
  float4: 'real',
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

/** Types of the server's own statistics and indexes: it writes their values, and takes none. */
const WRITES_ONLY =
  /^(pg_node_tree_|pg_ndistinct_|pg_dependencies_|pg_mcv_list_|brin_\w+_|gtsvector|gbtreekey\w+_|ghstore_|gtrgm_|ltree_gist_|_intbig_)in$/;

/** Longest text of the types `name`, of which PostgreSQL drops the rest without a word. */
const NAME_BYTES = 63;

/** The catalog of PostgreSQL. Only keys that `on conflict` can name count as unique. */
export function createPgCatalog(sql: SqlRunner): Catalog {
  return {
    async describeTable(table) {
      const bindings = { table: quoteTable(POSTGRES, table) };
      const { rows } = await sql.run(COLUMNS, bindings);
      if (rows.length === 0) return null;
      const keys = await sql.run(KEYS, bindings);
      const uniqueKeys = keys.rows.map((row) => JSON.parse(row.columns ?? '[]') as string[]);
      const [relation = {}] = (await sql.run(SIDE_EFFECTS, bindings)).rows;
      const primary = keys.rows.findIndex((row) => row.is_primary === 't');
      return {
        ...(rows[0]?.schema ? { schema: rows[0].schema } : {}),
        id: relation.root ?? rows[0]?.table_id ?? table,
        unfit: unfitFor(relation),
        sideEffects: {
          triggers: JSON.parse(relation.triggers ?? '[]') as string[],
          hasRules: relation.has_rules === 't',
          isDeferred: relation.is_deferred === 't',
          isPartitioned: relation.kind === 'p',
        },
        storage: { server: '', text: `${relation.storage ?? ''} ${relation.row_security ?? ''}` },
        root: { id: rows[0]?.root_id ?? table, name: rows[0]?.root_name ?? table },
        columns: rows.map(toColumn),
        primaryKey: uniqueKeys[primary] ?? [],
        uniqueKeys,
      };
    },

    // Each table's description says all of it.
    // `describeTable` has them: every account may ask.
    storages: (tables) => Promise.resolve(new Map(tables.map((id) => [id, '']))),

    async foreignKeyActions(tables) {
      if (tables.length === 0) return { actions: [], opened: [] };
      const { rows } = await sql.run(FOREIGN_KEYS, { tables: [...tables] });
      return { actions: rows.map(toForeignKeyAction), opened: [] };
    },
  };
}

const ON_DELETE: Partial<Record<string, ForeignKeyAction['onDelete']>> = {
  c: 'delete',
  n: 'null',
  d: 'default',
};
const ON_UPDATE: Partial<Record<string, ForeignKeyAction['onUpdate']>> = {
  c: 'follow',
  n: 'null',
  d: 'default',
};

const toForeignKeyAction = (row: SqlRow): ForeignKeyAction => ({
  name: row.name ?? '',
  parent: row.parent ?? '',
  child: row.child ?? '',
  childTable: row.child_table ?? '',
  columns: JSON.parse(row.columns ?? '[]') as ForeignKeyAction['columns'],
  onDelete: ON_DELETE[row.on_delete ?? ''] ?? null,
  onUpdate: ON_UPDATE[row.on_update ?? ''] ?? null,
});

/** What a resource cannot stand on, by `pg_class.relkind`. */
const UNFIT_KINDS: Record<string, string> = {
  v: 'is a view; allowed: the table that it reads, or a resource with a query',
  m: 'is a materialized view, which nothing writes row by row; allowed: a table, or a resource with a query',
  f: 'is a foreign table, whose rows another server keeps; allowed: a table of this database',
  S: 'is a sequence; allowed: a table',
};

function unfitFor({ kind, has_children }: SqlRow): string | null {
  if (kind === 'r' && has_children === 't') {
    return 'has child tables (inheritance), over whose rows its unique keys do not hold; allowed: each of them by its own name, or partitions';
  }
  return UNFIT_KINDS[kind ?? ''] ?? null;
}

function toColumn(row: SqlRow): Column {
  const base = row.base_type ?? '';
  const type = typeOf(base, row.element_type ?? null);
  const sqlType = row.sql_type ?? '';
  const baseType = row.base_sql_type ?? sqlType;
  const isSized = base === 'varchar' || base === 'bpchar';
  return {
    name: row.name ?? '',
    type,
    sqlType,
    ...(baseType === sqlType ? {} : { baseType }),
    nullable: row.nullable === 't',
    hasDefault: row.has_default === 't',
    generated: row.computed === 't' || row.identity === 'a',
    maxLength: isSized && row.max_length !== null ? Number(row.max_length) : null,
    range: WHOLE_RANGES[base] ?? null,
    ...(row.default_sql === null || row.default_sql === undefined
      ? {}
      : { defaultSql: row.default_sql }),
    ...(row.serial === 't' || row.identity !== '' ? { identity: true } : {}),
    ...(row.base_kind === 'e' ? { enumeration: true as const } : {}),
    ...(base === 'name' ? { maxBytes: NAME_BYTES } : {}),
    ...(WRITES_ONLY.test(row.input_function ?? '')
      ? { unusable: 'whose values PostgreSQL writes and does not take' }
      : {}),
    ...(base === 'bpchar' ? { looseEquality: 'padding' as const } : {}),
    ...(base === 'citext' || row.nondeterministic === 't'
      ? { inexact: true, looseEquality: 'any' as const }
      : {}),
  };
}

function typeOf(base: string, element: string | null): ColumnType {
  return element === null ? (TYPES[base] ?? 'other') : `${TYPES[element] ?? 'other'}[]`;
}
