import type { SideDatabase } from './side-database.ts';
import type { Table, TableColumn } from './tables.ts';

const ROWS = 3;
const ATTEMPTS = 60;

/**
 * Gives a table that has no rows a few, whatever its foreign keys say: values at the edges of their types first,
 * plainer ones where a check or a trigger refuses those. Answers how many rows there are now, at most 3.
 */
export async function ensureRows(database: SideDatabase, table: Table): Promise<number> {
  let there = await countRows(database, table);
  for (let attempt = 0; attempt < ATTEMPTS && there < ROWS; attempt++) {
    const columns = table.columns.filter((column) => !column.generated);
    const values = columns.map((column, place) =>
      sampleOf(database, table, column, attempt, place),
    );
    const names = columns.map(({ name }) => database.quote(name)).join(', ');
    try {
      await database.query('begin');
      await database.query(
        `insert into ${tableName(database, table)} (${names}) values (${values.join(', ')})`,
      );
      // A generated column may be computed when it is read, and fail then.
      await database.query(`select * from ${tableName(database, table)}`);
      await database.query('commit');
      there++;
    } catch {
      // This mixture is not to the schema's taste; the next one may be.
      await database.query('rollback');
    }
  }
  return there;
}

/** Makes inserts go past foreign keys and, on PostgreSQL, triggers. */
export async function relaxConstraints(database: SideDatabase): Promise<void> {
  await database.query(
    database.client === 'pg'
      ? 'set session_replication_role = replica'
      : 'set foreign_key_checks = 0',
  );
}

/** `schema.table` as the server takes it. */
export function tableName(database: SideDatabase, table: Table): string {
  return table.path.map((part) => database.quote(part)).join('.');
}

async function countRows(database: SideDatabase, table: Table): Promise<number> {
  const limited = `select 1 from ${tableName(database, table)} limit ${ROWS}`;
  return (await database.query(limited)).length;
}

/** One value as an SQL expression. Columns step through their values at their own pace, so that mixtures differ. */
function sampleOf(
  database: SideDatabase,
  table: Table,
  column: TableColumn,
  attempt: number,
  place: number,
): string {
  const isKey = table.key?.includes(column.name) === true;
  const isPg = database.client === 'pg';
  const typed = (text: string): string =>
    isPg ? `${literal(text)}::${column.type}` : mysqlExpression(column.type, text);
  if (column.labels.length > 0) return typed(column.labels[attempt % column.labels.length] ?? '');
  if (column.byteLength !== null)
    return typed(`\\x${'ab'.repeat(column.byteLength - 1)}${(attempt + 16).toString(16)}`);
  const isText = /char|text/i.test(column.baseType);
  const checked = isText && attempt % 2 === 1 && !isKey ? table.checked : [];
  const texts = checked.length > 0 ? checked : valuesOf(column.baseType, isPg);
  if (texts.length === 0) return 'null';
  if (column.nullable && !isKey && attempt >= 6 && (attempt + place) % 3 === 0) return 'null';
  const pace = isKey ? 1 : 1 + 2 * (place % 3);
  const text = texts[(attempt * pace) % texts.length] ?? '';
  const limit = /\((\d+)\)/.exec(column.baseType)?.[1];
  return typed(isText && limit !== undefined ? [...text].slice(0, Number(limit)).join('') : text);
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

function mysqlExpression(type: string, text: string): string {
  if (/blob|binary|^bit|vector/i.test(type)) return text.startsWith('x') ? text : literal(text);
  if (/point|geometry|polygon|linestring/i.test(type)) return `st_geomfromtext(${literal(text)})`;
  return literal(text.replaceAll('\\', '\\\\'));
}

/** Texts for a type, edges first; none: NULL is tried. */
function valuesOf(type: string, isPg: boolean): string[] {
  if (isPg && type.endsWith('[]')) return ['{}'];
  return VALUES.find(({ of }) => of.test(type))?.texts ?? (isPg ? [] : ['1']);
}

const VALUES: { of: RegExp; texts: string[] }[] = [
  { of: /^(bool|tinyint\(1\))/i, texts: ['1', '0'] },
  { of: /^tinyint.*unsigned/i, texts: ['255', '1', '0', '2', '7'] },
  { of: /^tinyint/i, texts: ['127', '1', '0', '2', '7'] },
  { of: /^smallint.*unsigned/i, texts: ['65535', '1', '0', '2', '10'] },
  { of: /^smallint/i, texts: ['32767', '1', '0', '2', '10'] },
  { of: /^mediumint/i, texts: ['8388607', '1', '0', '2', '10'] },
  { of: /^bigint.*unsigned/i, texts: ['18446744073709551615', '1', '0', '2', '1500000000000'] },
  { of: /^(bigint|int8)/i, texts: ['9007199254740993', '1', '0', '-1', '2', '1500000000000'] },
  { of: /^int.*unsigned/i, texts: ['4294967295', '1', '0', '2', '10'] },
  { of: /^int(eger|4|\(|$| )/i, texts: ['2147483647', '1', '0', '-1', '2', '100', '1990'] },
  { of: /^(numeric|decimal)\((\d+),0\)|^(numeric|decimal)\(\d+\)/i, texts: ['9', '1', '0', '5'] },
  { of: /^(numeric|decimal)/i, texts: ['0.10', '1', '0', '1.50'] },
  { of: /^(real|float)/i, texts: ['16777216', '0.1', '1', '0', '3.4028e38'] },
  { of: /^double/i, texts: ['0.30000000000000004', '1', '0', '1e300'] },
  {
    of: /uuid/i,
    texts: [
      'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
      'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12',
      'c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a13',
    ],
  },
  { of: /^jsonb?/i, texts: ['{"big": 750727362669608961, "d": 1.10}', '[]', '{}', 'null'] },
  {
    of: /^(timestamp|datetime)/i,
    texts: ['2026-03-29 01:30:00.123456', '2001-01-01 00:00:00', '2020-02-29 23:59:59'],
  },
  { of: /^date/i, texts: ['2026-02-28', '2001-01-01', '2020-02-29'] },
  { of: /^time/i, texts: ['23:59:59.999999', '00:00:00', '12:00:00'] },
  { of: /^year/i, texts: ['2026', '1999', '1901'] },
  { of: /^interval/i, texts: ['1 year 2 mons 3 days 04:05:06.789', '1 day', '-1 day'] },
  { of: /^bytea/i, texts: ['\\x00ff10', '\\x01', '\\x'] },
  { of: /blob|binary\((1[6-9]|[2-9]\d|\d{3,})\)/i, texts: ["x'00ff10'", "x'01'", "x'02'"] },
  { of: /binary|^bit/i, texts: ["x'01'", "x'00'", "x'02'"] },
  { of: /^inet|^cidr/i, texts: ['192.168.0.0/24', '::1/128', '10.0.0.0/8'] },
  { of: /^macaddr$/i, texts: ['08:00:2b:01:02:03'] },
  { of: /^point$/i, texts: ['POINT(1.5 2.5)'] },
  { of: /^(geometry|polygon|linestring)/i, texts: ['POINT(1 1)', 'LINESTRING(0 0,1 1)'] },
  { of: /^(int4|int8|num|date|ts|tstz)(multi)?range/i, texts: ['empty'] },
  { of: /^tsvector/i, texts: ["'a':1 'b':2"] },
  { of: /^(var)?bit|^bit varying/i, texts: ['1'] },
  { of: /^money/i, texts: ['12.34'] },
  { of: /^xml/i, texts: ['<a/>'] },
  {
    of: /char|text|citext|name|^enum|^set/i,
    texts: ['Añ"x', 'a', 'b', 'CA', '1', 'a@example.org', '2020-01-01', ''],
  },
];
