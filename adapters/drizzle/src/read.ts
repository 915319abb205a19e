/** Rows by their key, through the client. */
import type { Key } from '@lockstep/client';
import {
  type ColumnKind,
  type ColumnMap,
  keyPartsOf,
  type KeyReader,
  readThrough,
} from '@lockstep/client/sql';
import {
  and,
  type Column,
  eq,
  getTableColumns,
  getTableName,
  type SQL,
  type Table,
} from 'drizzle-orm';
import { isTransaction } from './statements.ts';

/** A Drizzle database, with any driver. */
export interface Database {
  select(): { from(table: never): unknown };
}

/** The table of a resource. */
export interface ResourceTable {
  table: Table;
  /** The properties of the resource's key, in its order. */
  key: readonly string[];
  /** Of properties whose column does not say it: what Drizzle gives for their values (docs/adapters.md). */
  columns?: Readonly<Record<string, ColumnKind>>;
}
type Tables = Readonly<Record<string, ResourceTable>>;

/** Reads a row by its key through the cache. Resolves to undefined if there is no such row. */
export type Read<T extends Tables> = <Name extends keyof T & string>(
  resource: Name,
  key: Key,
) => Promise<T[Name]['table']['$inferSelect'] | undefined>;

/**
 * What Drizzle gives for its types of columns. Missing are types of which the cache has another value: times that hold no
 * instant or are read in the zone of a session, `char` on PostgreSQL, which is filled with blanks, `float` on MySQL,
 * which the server shortens, and `json` there, which is text on MariaDB.
 */
const KINDS: Readonly<Record<string, ColumnKind>> = {
  ...kindOf('number', 'PgBigInt53', 'PgBigSerial53', 'PgInteger', 'PgSmallInt', 'PgSerial'),
  ...kindOf('number', 'PgSmallSerial', 'PgReal', 'PgDoublePrecision', 'PgNumericNumber'),
  ...kindOf('bigint', 'PgBigInt64', 'PgBigSerial64', 'PgNumericBigInt'),
  ...kindOf('string', 'PgText', 'PgVarchar', 'PgUUID', 'PgEnumColumn', 'PgNumeric', 'PgTime'),
  ...kindOf('string', 'PgDateString'),
  ...kindOf('date', 'PgDate'),
  ...kindOf('boolean', 'PgBoolean'),
  ...kindOf('json', 'PgJson', 'PgJsonb'),
  ...kindOf('number', 'MySqlBigInt53', 'MySqlSerial', 'MySqlInt', 'MySqlSmallInt', 'MySqlTinyInt'),
  ...kindOf('number', 'MySqlMediumInt', 'MySqlDouble', 'MySqlDecimalNumber', 'MySqlYear'),
  ...kindOf('bigint', 'MySqlBigInt64', 'MySqlDecimalBigInt'),
  ...kindOf('string', 'MySqlText', 'MySqlVarChar', 'MySqlChar', 'MySqlEnumColumn', 'MySqlDecimal'),
  ...kindOf('string', 'MySqlTime', 'MySqlDateString'),
  ...kindOf('date', 'MySqlDate'),
  ...kindOf('boolean', 'MySqlBoolean'),
};

function kindOf(kind: ColumnKind, ...types: string[]): Record<string, ColumnKind> {
  return Object.fromEntries(types.map((type) => [type, kind]));
}

/**
 * Makes the function that reads rows by their key through the client: from the cache, else by a coordinator, and by
 * Drizzle where neither answers, or where the cache's row has a value that Drizzle would give in another way.
 *
 * It is for reads outside of transactions: in one, read with `tx`.
 * @throws TypeError where `db` is a transaction, and where a column's type does not say what Drizzle gives for it: name
 *   it in `columns`
 */
export function createRead<const T extends Tables>(
  lockstep: KeyReader,
  db: Database,
  tables: T,
): Read<T> {
  if (isTransaction(db))
    throw new TypeError('This needs the database itself: the cache does not know a transaction.');
  const readers = new Map(
    Object.entries(tables).map(([name, mapped]) => [name, readerOf(lockstep, db, name, mapped)]),
  );
  return async (resource, key) => {
    const reader = readers.get(resource);
    if (reader === undefined) throw new TypeError(`The resource ${resource} has no table here.`);
    return (await reader(key)) ?? undefined;
  };
}

function readerOf(
  lockstep: KeyReader,
  db: Database,
  resource: string,
  { table, key, columns: declared = {} }: ResourceTable,
) {
  const columns: Record<string, Column> = getTableColumns(table);
  const map: ColumnMap = Object.fromEntries(
    Object.entries(columns).map(([name, column]) => [
      name,
      { column: column.name, kind: declared[name] ?? kindOfColumn(table, name, column) },
    ]),
  );
  return (given: Key) => {
    const conditions = keyPartsOf(key, given).map(([name, part]) => {
      const column = columns[name];
      if (column !== undefined) return eq(column, part);
      throw new TypeError(`The table ${getTableName(table)} has no column ${name}.`);
    });
    return readThrough(lockstep, [resource, given], map, async () => {
      const query = db.select().from(table as never) as {
        where(condition: SQL | undefined): PromiseLike<Record<string, unknown>[]>;
      };
      const [row] = await query.where(and(...conditions));
      return row ?? null;
    });
  };
}

function kindOfColumn(table: Table, name: string, column: Column): ColumnKind {
  const { columnType } = column;
  const isInstant = columnType === 'PgTimestamp' && 'withTimezone' in column && column.withTimezone;
  const kind = isInstant ? 'date' : KINDS[columnType];
  if (kind !== undefined) return kind;
  throw new TypeError(
    `${getTableName(table)}.${name} is a ${columnType}: say in columns what Drizzle gives for it.`,
  );
}
