import type { SideDatabase, SqlText } from './side-database.ts';

export interface TableColumn {
  name: string;
  /** As the server writes it: `character varying(20)`, `enum('a','b')`. */
  type: string;
  /** The type that a domain is made of; elsewhere the type. */
  baseType: string;
  nullable: boolean;
  /** The database computes it, always. */
  generated: boolean;
  /** Bytes that a domain of bytes asks for; null: any number. */
  byteLength: number | null;
  /** Labels that the column takes, where it is an enum. */
  labels: string[];
}

/** A table as its own database describes it, read apart from the product. */
export interface Table {
  /** For people: `schema.table` outside the default schema. */
  name: string;
  /** Schema and table, or the table alone where it is in the default schema. */
  path: string[];
  columns: TableColumn[];
  /** The primary key, or another unique key of columns that are never null; null: the table has none. */
  key: string[] | null;
  /** Texts that check constraints name: what a made-up row should try. */
  checked: string[];
}

export function listTables(database: SideDatabase): Promise<Table[]> {
  return database.client === 'pg' ? listPgTables(database) : listMysqlTables(database);
}

const PG_TABLES = `
  select c.oid::text, (case when n.nspname = 'public' then json_build_array(c.relname)
    else json_build_array(n.nspname, c.relname) end)::text
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    and c.relname not like 'lockstep\\_%' and not c.relispartition and c.relpersistence <> 't'
  order by 2`;

const PG_COLUMNS = `
  select a.attname, format_type(a.atttypid, a.atttypmod), not (a.attnotnull or t.typnotnull),
    a.attgenerated <> '' or a.attidentity = 'a',
    (select json_agg(e.enumlabel order by e.enumsortorder)::text from pg_enum e where e.enumtypid = t.oid),
    case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod)
      else format_type(a.atttypid, a.atttypmod) end,
    (select min(substring(pg_get_constraintdef(d.oid) from 'octet_length\\(VALUE\\) = (\\d+)')) from pg_constraint d
      where d.contypid = t.oid)
  from pg_attribute a join pg_type t on t.oid = a.atttypid
  where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped order by a.attnum`;

const PG_KEYS = `
  select json_agg(a.attname order by k.place)::text
  from pg_index i cross join lateral unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = $1::oid and i.indisunique and i.indisvalid and i.indimmediate
    and i.indpred is null and i.indexprs is null and k.place <= i.indnkeyatts
  group by i.indexrelid, i.indisprimary
  having bool_and(a.attnotnull)
  order by i.indisprimary desc, count(*), i.indexrelid limit 1`;

const PG_CHECKS = `
  select pg_get_constraintdef(oid) from pg_constraint where contype = 'c' and (conrelid = $1::oid
    or contypid in (select atttypid from pg_attribute where attrelid = $1::oid))`;

async function listPgTables(database: SideDatabase): Promise<Table[]> {
  const tables: Table[] = [];
  for (const [oid = null, pathJson] of await database.query(PG_TABLES)) {
    const columns = await database.query(PG_COLUMNS, [oid]);
    const keys = await database.query(PG_KEYS, [oid]);
    const checks = await database.query(PG_CHECKS, [oid]);
    const path = namesOf(pathJson);
    tables.push({
      name: path.join('.'),
      path,
      columns: columns.map(toColumn),
      key: keys[0] === undefined ? null : namesOf(keys[0][0]),
      checked: checks.flatMap(([text]) => quotedTexts(text ?? '')),
    });
  }
  return tables;
}

const MYSQL_COLUMNS = `
  select column_name, column_type, if(is_nullable = 'YES', 't', 'f'),
    if(extra like '%GENERATED%' and extra not like '%DEFAULT_GENERATED%', 't', 'f'), null, column_type
  from information_schema.columns where table_schema = database() and table_name = ? order by ordinal_position`;

const MYSQL_KEYS = `
  select json_arrayagg(s.column_name), s.index_name
  from (select * from information_schema.statistics
    where table_schema = database() and table_name = ? order by index_name, seq_in_index) s
  where s.non_unique = 0
  group by s.index_name
  having max(s.nullable = 'YES') = 0 and max(s.sub_part is not null) = 0
  order by s.index_name = 'PRIMARY' desc, count(*) limit 1`;

async function listMysqlTables(database: SideDatabase): Promise<Table[]> {
  const names = await database.query(`
    select table_name from information_schema.tables
    where table_schema = database() and table_type = 'BASE TABLE' and table_name not like 'lockstep\\_%'
    order by table_name`);
  const tables: Table[] = [];
  for (const [name = null] of names) {
    const columns = await database.query(MYSQL_COLUMNS, [name]);
    const keys = await database.query(MYSQL_KEYS, [name]);
    const [created] = await database.query(`show create table ${database.quote(String(name))}`);
    const checks = (created?.[1] ?? '').match(/check \(.*\)/gi) ?? [];
    tables.push({
      name: String(name),
      path: [String(name)],
      columns: columns.map(toColumn),
      key: keys[0] === undefined ? null : namesOf(keys[0][0]),
      checked: checks.flatMap(quotedTexts),
    });
  }
  return tables;
}

function toColumn(row: SqlText[]): TableColumn {
  const [name, type, nullable, generated, labels, baseType, byteLength = null] = row;
  return {
    name: String(name),
    type: String(type),
    baseType: String(baseType),
    nullable: nullable === 't',
    generated: generated === 't',
    byteLength: byteLength === null ? null : Number(byteLength),
    labels: labels
      ? namesOf(labels)
      : /^(enum|set)\(/i.test(type ?? '')
        ? quotedTexts(type ?? '')
        : [],
  };
}

const namesOf = (json: SqlText | undefined): string[] => JSON.parse(json ?? '[]') as string[];

const quotedTexts = (text: string): string[] =>
  [...text.matchAll(/'((?:[^']|'')*)'/g)].map(([, inner = '']) => inner.replaceAll("''", "'"));
