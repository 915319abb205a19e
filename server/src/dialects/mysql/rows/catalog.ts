import {
  tableNameParts,
  type Column,
  type ColumnType,
  type ForeignKeyAction,
} from '../../../domain/index.ts';
import type { Catalog, OpenedTable } from '../../../database/port.ts';
import { type ActingForeignKey, actingForeignKeys, type TablePlace } from './foreign-keys.ts';
import { SQL } from './sql-texts.ts';
import { quoteName, quoteTable, renderSql } from '../../../database/statements/sql-text.ts';
import type { SqlRow, SqlRunner, SqlStatement } from '../../../database/statements/sql.ts';
import { mysqlStorages } from './storages.ts';
import { WHOLE_RANGES } from '../../../database/values/whole-ranges.ts';
import { MYSQL } from '../spelling.ts';

const TYPES: Record<string, ColumnType> = {
  tinyint: 'integer',
  smallint: 'integer',
  mediumint: 'integer',
  int: 'integer',
  year: 'integer',
  bigint: 'bigint',
  decimal: 'decimal',
  float: 'real',
  double: 'float',
  char: 'text',
  varchar: 'text',
  tinytext: 'text',
  text: 'text',
  mediumtext: 'text',
  longtext: 'text',
  datetime: 'timestamp',
  timestamp: 'timestamp',
  date: 'date',
  time: 'time',
  json: 'json',
  binary: 'bytes',
  varbinary: 'bytes',
  tinyblob: 'bytes',
  blob: 'bytes',
  mediumblob: 'bytes',
  longblob: 'bytes',
  bit: 'bytes',
  vector: 'bytes',
  geometry: 'bytes',
  point: 'bytes',
  linestring: 'bytes',
  polygon: 'bytes',
  multipoint: 'bytes',
  multilinestring: 'bytes',
  multipolygon: 'bytes',
  geometrycollection: 'bytes',
  geomcollection: 'bytes',
  uuid: 'uuid',
  enum: 'other',
  set: 'other',
  inet4: 'other',
  inet6: 'other',
};

const COLUMN_TYPES: SqlStatement = { mysql2: SQL.catalog['list-column-types'] };
const IS_MARIADB: SqlStatement = { mysql2: SQL.catalog['is-mariadb'] };

/** The catalog of MySQL and MariaDB. Unique keys of column prefixes or expressions do not count. */
export function createMysqlCatalog(sql: SqlRunner): Catalog {
  let product: Promise<boolean> | null = null;
  const isMariaDb = (): Promise<boolean> => {
    product ??= sql.run(IS_MARIADB).then(
      ({ rows }) => rows[0]?.yes === '1',
      (error: unknown) => {
        product = null;
        throw error;
      },
    );
    return product;
  };
  return {
    async describeTable(table) {
      const [name = '', schema] = [...tableNameParts(table)].reverse();
      const fragments = { schema: schema === undefined ? 'database()' : ':schema' };
      const bindings = { name, ...(schema === undefined ? {} : { schema }) };
      const { rows } = await sql.run(
        statement(SQL.catalog['describe-columns'], fragments),
        bindings,
      );
      if (rows.length === 0) return null;
      const json = (await isMariaDb()) ? await jsonChecks(sql, table) : new Set<string>();
      const keys = await sql.run(statement(SQL.catalog['describe-keys'], fragments), bindings);
      const { primaryKey, uniqueKeys } = groupKeys(keys.rows);
      const id = rows[0]?.table_id ?? table;
      const found = await sql.run(statement(SQL.catalog['describe-table'], fragments), bindings);
      const triggers = await sql.run(
        statement(SQL.catalog['describe-triggers'], fragments),
        bindings,
      );
      const sideEffects = {
        triggers: triggers.rows.map((row) => row.name ?? ''),
        hasRules: false,
        isDeferred: false,
        isPartitioned: false,
      };
      const [relation = {}] = found.rows;
      const unfit = unfitFor(relation);
      const storage = { server: rows[0]?.server ?? '', text: relation.created ?? '' };
      const columns = rows.map((row) => toColumn(row, json));
      const root = { id, name: id };
      return { id, root, unfit, sideEffects, storage, columns, primaryKey, uniqueKeys };
    },

    async storages(tables) {
      return mysqlStorages(sql, await isMariaDb(), tables);
    },

    /** From the children up, so that only tables are opened which lead to one of these. */
    async foreignKeyActions(tables) {
      const actions: ForeignKeyAction[] = [];
      const opened: OpenedTable[] = [];
      const children = new Set(tables);
      for (const child of children) {
        const place = placeOf(child);
        const keys = await actingForeignKeys(sql, place);
        opened.push({ id: child, table: quoted(place), isHidden: keys === null });
        if (keys !== null && keys.length > 0) actions.push(...(await actionsOf(sql, child, keys)));
        for (const { parent } of keys ?? []) children.add(idOf(parent));
      }
      return { actions, opened };
    },
  };
}

/** A check for valid JSON that is the whole of it, or a text or name, in which none is looked for. */
const JSON_CHECK = /check \((json_valid\(`(?:[^`]|``)+`\))\)|'(?:[^'\\]|''|\\.)*'|`(?:[^`]|``)+`/gi;

/** From the table's own text: information_schema shows checks only to accounts with every right on the table. */
async function jsonChecks(sql: SqlRunner, table: string): Promise<Set<string>> {
  const shown = await sql.run(
    statement(SQL.catalog['show-create-table'], { table: quoteTable(MYSQL, table) }),
  );
  const [row = {}] = shown.rows;
  const text = row['Create Table'] ?? '';
  return new Set([...text.matchAll(JSON_CHECK)].flatMap(([, check]) => check?.toLowerCase() ?? []));
}

async function actionsOf(
  sql: SqlRunner,
  child: string,
  keys: readonly ActingForeignKey[],
): Promise<ForeignKeyAction[]> {
  const place = placeOf(child);
  const { rows } = await sql.run(COLUMN_TYPES, { ...place });
  const types = new Map(rows.map((row) => [row.name, row.type ?? '']));
  // In this order: the tables' states, which coordinators of several versions compare, are made of their text.
  return keys.map(({ name, parent, columns, onDelete, onUpdate }) => ({
    name,
    parent: idOf(parent),
    child,
    childTable: quoted(place),
    columns: columns.map((each) => ({ ...each, type: types.get(each.child) ?? '' })),
    onDelete,
    onUpdate,
  }));
}

/** A described table's id. */
const idOf = ({ database, relation }: TablePlace): string => `${database}.${relation}`;

function placeOf(id: string): TablePlace {
  const at = id.indexOf('.');
  return { database: id.slice(0, at), relation: id.slice(at + 1) };
}

const quoted = ({ database, relation }: TablePlace): string =>
  [database, relation].map((part) => quoteName(MYSQL, part)).join('.');

/** A write that is refused must be taken back whole, which only some engines can. */
function unfitFor({ kind = null, engine = null, transactions }: SqlRow): string | null {
  if (kind?.includes('VIEW') === true) {
    return 'is a view; allowed: the table that it reads, or a resource with a query';
  }
  if (kind === 'SEQUENCE') return 'is a sequence; allowed: a table';
  if (transactions?.toUpperCase() === 'YES' || engine === null) return null;
  return `is kept by ${engine}, which has no transactions; allowed: a table of InnoDB`;
}

function statement(template: string, fragments: Record<string, string>): SqlStatement {
  return { mysql2: renderSql(template, fragments) };
}

function groupKeys(rows: SqlRow[]): { primaryKey: string[]; uniqueKeys: string[][] } {
  const keys = new Map<string, (string | null)[]>();
  for (const row of rows) {
    const columns = keys.get(row.name ?? '') ?? [];
    columns.push(row.prefix === null ? (row.column ?? null) : null);
    keys.set(row.name ?? '', columns);
  }
  const whole = [...keys].flatMap(([name, columns]) => {
    const names = columns.filter((column) => column !== null);
    return names.length === columns.length ? [{ name, names }] : [];
  });
  return {
    primaryKey: whole.find(({ name }) => name === 'PRIMARY')?.names ?? [],
    uniqueKeys: whole.map(({ names }) => names),
  };
}

/** @param checks the clauses of the table's checks: MariaDB's JSON is a text with one */
function toColumn(row: SqlRow, checks: ReadonlySet<string>): Column {
  const base = (row.base_type ?? '').toLowerCase();
  const sqlType = (row.sql_type ?? '').toLowerCase();
  const isJson = checks.has(`json_valid(${quoteName(MYSQL, row.name ?? '').toLowerCase()})`);
  const type = typeOf(base, sqlType, isJson);
  const extra = (row.extra ?? '').toLowerCase();
  return {
    name: row.name ?? '',
    type,
    sqlType: row.sql_type ?? '',
    nullable: row.nullable === '1',
    hasDefault: row.has_default === '1' || extra.includes('auto_increment'),
    generated: row.computed === '1' || /\b(virtual|stored) generated\b/.test(extra),
    maxLength: type === 'text' && /char/.test(base) ? Number(row.max_length) : null,
    range:
      type === 'integer' || type === 'bigint' || (type === 'boolean' && base === 'tinyint')
        ? (WHOLE_RANGES[sqlType.includes('unsigned') ? `${base} unsigned` : base] ?? null)
        : null,
    ...(row.has_default === '1' ? { defaultSql: defaultSqlOf(row) } : {}),
    ...(extra.includes('auto_increment') ? { identity: true } : {}),
    ...looseEquality(row.collation ?? null),
    ...characters(row.collation ?? null),
    ...(type === 'date' || type === 'timestamp' ? { zeroDates: true as const } : {}),
    ...(row.filled_with_now === '1' ? { filledWithNow: true as const } : {}),
    ...(base === 'enum' ? { enumeration: true as const } : {}),
    ...(base === 'enum' || base === 'set' ? { members: membersOf(row.sql_type ?? '') } : {}),
    ...(TYPES[base] === undefined ? { unusable: 'which Lockstep does not know' } : {}),
  };
}

/** MariaDB keeps every default as an expression. MySQL keeps only some as one, with escaped quotes, and others as they are. */
function defaultSqlOf({ default_text: text, is_default_sql: isSql }: SqlRow): string {
  const stored = text ?? '';
  return isSql === '1'
    ? stored.replaceAll("\\'", "'")
    : `'${stored.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** Only binary collations tell every letter from every other one, and of those only some tell blanks at the end. */
function looseEquality(collation: string | null): Pick<Column, 'looseEquality'> {
  if (collation === null || collation === 'binary') return {};
  if (!collation.endsWith('_bin')) return { looseEquality: 'any' };
  return /_(0900|nopad)_bin$/.test(collation) ? {} : { looseEquality: 'padding' };
}

/** Connections talk in `utf8mb4`, which columns of other sets of characters cannot be compared with. */
const characters = (collation: string | null): Pick<Column, 'collation'> =>
  collation === null || /^(utf8mb4_|binary$)/.test(collation) ? {} : { collation };

/** The texts of `enum('a','it''s')`. */
const membersOf = (sqlType: string): string[] =>
  [...sqlType.matchAll(/'((?:[^']|'')*)'/g)].map(([, text = '']) => text.replaceAll("''", "'"));

function typeOf(base: string, sqlType: string, isJson: boolean): ColumnType {
  if (isJson) return 'json';
  if (/^(tinyint|bit)\(1\)/.test(sqlType)) return 'boolean';
  return TYPES[base] ?? 'other';
}
