/**
 * Capture triggers on MySQL and MariaDB, which have triggers for rows only. What no trigger sees there: the rows that a
 * foreign key changes, because InnoDB does that by itself, and TRUNCATE.
 */
import {
  quoteName,
  quoteTable,
  renderStatement,
  type SqlRunner,
  statementsOf,
} from '../../database/index.ts';
import { type Column, tableNameParts } from '../../domain/index.ts';
import {
  captureName,
  type CapturedPart,
  type CapturedTable,
  digestOf,
} from '../../capture/captured-tables.ts';
import type { CaptureDialect } from '../../capture/dialect.ts';
import { actingForeignKeys } from './rows/foreign-keys.ts';
import statements from './sql/capture-triggers.sql?raw';
import { MYSQL } from './spelling.ts';

const SQL = statementsOf('mysql2', statements, [
  'read-place',
  'read-table',
  'list-installed',
  'list-triggers',
]);

export const mysqlCapture: CaptureDialect = {
  isTransactional: false,
  notesOtherTriggers: false,

  async place(sql) {
    const [row] = (await sql.run(SQL['read-place'])).rows;
    return row === undefined ? null : quote(row['place'] ?? '');
  },

  async find(sql, table) {
    const [name, schema] = nameOf(table);
    const fragments = { schema: schema === undefined ? 'database()' : ':schema' };
    const bindings = { name, ...(schema === undefined ? {} : { schema }) };
    const there = await sql.run(renderStatement(SQL['read-table'], fragments), bindings);
    if (there.rows.length === 0) return null;
    const { rows } = await sql.run(renderStatement(SQL['list-triggers'], fragments), bindings);
    return {
      isPartitioned: false,
      triggers: rows.map((row) => ({
        name: row['name'] ?? '',
        isEnabled: true,
        body: row['body'] ?? '',
      })),
      unseen: await unseenOf(sql, name, schema),
    };
  },

  wanted(table, _found, place) {
    const bodies = EVENTS.map((event) => bodyOf(table, event, place));
    const digest = digestOf(bodies);
    const schema = nameOf(table)[1];
    const prefix = schema === undefined ? '' : `${quote(schema)}.`;
    const names = EVENTS.map(({ what }) => captureName(table, place, `${what}_`));
    return {
      names,
      digest,
      remove: names.map((name) => `drop trigger if exists ${prefix}${quote(name)}`),
      create: EVENTS.map(
        ({ what }, at) =>
          `create trigger ${prefix}${quote(names[at] ?? '')} after ${what} on ${quoteTable(MYSQL, table.name)} for each row
capture_${digest}: begin
${bodies[at]}
end`,
      ),
    };
  },

  async installed(sql, place) {
    const { rows } = await sql.run(SQL['list-installed']);
    return rows
      .filter((row) => row['body']?.includes(`${place}.lockstep_invalidations`) === true)
      .map((row) => {
        const name = `${quote(row['place'] ?? '')}.${quote(row['name'] ?? '')}`;
        return { name, remove: [`drop trigger if exists ${name}`] };
      });
  },
};

const EVENTS = [
  { what: 'insert', rows: ['new'] },
  { what: 'update', rows: ['old', 'new'] },
  { what: 'delete', rows: ['old'] },
] as const;

/** Lockstep's own sessions have set the variable to their connection; nobody else's connection has that number. */
const IS_FOREIGN = 'coalesce(@lockstep_own, 0) <> connection_id()';

function bodyOf(table: CapturedTable, event: (typeof EVENTS)[number], place: string): string {
  const notes = (parts: readonly CapturedPart[]): string[] =>
    parts.map((part) => noteSql(table, part, event, place));
  const skipping = notes(table.parts.filter(({ skipsOwn }) => skipsOwn));
  return [
    ...notes(table.parts.filter(({ skipsOwn }) => !skipsOwn)),
    ...(skipping.length === 0 ? [] : [`if ${IS_FOREIGN} then`, ...skipping, 'end if;']),
  ].join('\n');
}

function noteSql(
  { name }: CapturedTable,
  { resource, columns }: CapturedPart,
  { rows }: (typeof EVENTS)[number],
  place: string,
): string {
  const names = columns.map((column) => literal(column.name)).join(', ');
  const values = columns.map(
    (column) => `json_array(${rows.map((row) => textOf(column, row)).join(', ')})`,
  );
  return `insert into ${place}.lockstep_invalidations (resource, \`key\`, changes, created_at) values (${literal(resource)}, '[]', json_object('table', ${literal(name)}, 'columns', json_array(${names}), 'values', json_array(${values.join(', ')})), utc_timestamp(6));`;
}

/** A value as text: as a read of Lockstep receives it, but bytes in hexadecimal and a `timestamp` in UTC. */
function textOf({ name, type, sqlType }: Column, row: string): string {
  const value = `${row}.${quote(name)}`;
  if (type === 'bytes') return `concat('0x', ${hexOf(value, sqlType)})`;
  if (type === 'real') return asText(`${value} + 0e0`);
  if (/^bit\b/i.test(sqlType)) return asText(`${value} + 0`);
  if (!/^timestamp\b/i.test(sqlType)) return asText(value);
  // The writer's session may have a zone whose clocks are put back.
  const utc = `timestampadd(microsecond, unix_timestamp(${value}) * 1000000, '1970-01-01 00:00:00')`;
  return asText(`if(${value} = 0, ${value}, ${utc})`);
}

/** A number of bits is a number to `hex`, which leaves out its leading zeros. */
function hexOf(value: string, sqlType: string): string {
  const bits = /^bit\((\d+)\)/i.exec(sqlType)?.[1];
  return bits === undefined
    ? `hex(${value})`
    : `lpad(hex(${value}), ${2 * Math.ceil(Number(bits) / 8)}, '0')`;
}

const asText = (value: string): string => `convert(cast(${value} as char) using utf8mb4)`;

async function unseenOf(
  sql: SqlRunner,
  relation: string,
  schema: string | undefined,
): Promise<string[]> {
  const [row] = (await sql.run({ mysql2: 'select database() as name' })).rows;
  const database = schema ?? row?.['name'] ?? '';
  const keys = (await actingForeignKeys(sql, { database, relation })) ?? [];
  return keys
    .map(({ name }) => `no trigger sees the rows that the foreign key ${name} changes`)
    .sort();
}

function nameOf({ name }: CapturedTable): [name: string, schema: string | undefined] {
  const [relation = '', schema] = [...tableNameParts(name)].reverse();
  return [relation, schema];
}

const quote = (name: string): string => quoteName(MYSQL, name);
const literal = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
