/**
 * Capture triggers on PostgreSQL. They fire once for a statement and note its rows in few rows of
 * `lockstep_invalidations`, because an insert for each row would make a bulk update several times as expensive. Of a
 * partitioned table and of partitions they fire for each row: a statement on one of several partitions fires no
 * statement trigger of the others.
 */
import { quoteName, quoteTable, statementsOf } from '../../database/index.ts';
import type { Column } from '../../domain/index.ts';
import {
  captureName,
  type CapturedPart,
  type CapturedTable,
  digestOf,
} from '../../capture/captured-tables.ts';
import type { CaptureDialect, FoundTrigger } from '../../capture/dialect.ts';
import statements from './sql/capture-triggers.sql?raw';
import { POSTGRES } from './spelling.ts';

const SQL = statementsOf('pg', statements, ['read-place', 'read-table', 'list-installed']);

/** Changed rows in one row of `lockstep_invalidations`. */
const ROWS_AT_ONCE = 200;

export const pgCapture: CaptureDialect = {
  isTransactional: true,
  notesOtherTriggers: true,

  async place(sql) {
    const [row] = (await sql.run(SQL['read-place'])).rows;
    return row?.['place'] ?? null;
  },

  async find(sql, table) {
    const { rows } = await sql.run(SQL['read-table'], { table: quoted(table) });
    const [row] = rows;
    if (row === undefined) return null;
    return {
      isPartitioned: row['is_partitioned'] === 't',
      triggers: JSON.parse(row['triggers'] ?? '[]') as FoundTrigger[],
      unseen: [],
    };
  },

  wanted(table, { isPartitioned }, place) {
    const routine = `${place}.${quote(captureName(table, place))}`;
    const triggers = isPartitioned ? ROW_TRIGGERS : STATEMENT_TRIGGERS;
    const body = bodyOf(table, place, isPartitioned);
    const settings = settingsFor(table);
    const digest = digestOf([body, settings, triggers]);
    const names = triggers.map(({ what }) => captureName(table, place, `${what}_`));
    return {
      names,
      digest,
      remove: [
        ...[...STATEMENT_TRIGGERS, ...ROW_TRIGGERS].map(
          ({ what }) =>
            `drop trigger if exists ${quote(captureName(table, place, `${what}_`))} on ${quoted(table)}`,
        ),
        `drop function if exists ${routine}()`,
      ],
      create: [
        `create function ${routine}() returns trigger language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp ${settings}
as $lockstep$
<<capture_${digest}>>
${body}
$lockstep$`,
        ...triggers.map(
          ({ when }, at) =>
            `create trigger ${quote(names[at] ?? '')} ${when.replace('%', quoted(table))} execute function ${routine}()`,
        ),
      ],
    };
  },

  async installed(sql) {
    const { rows } = await sql.run(SQL['list-installed']);
    return rows.map((row) => ({
      name: row['routine'] ?? '',
      remove: [
        ...(JSON.parse(row['drop_triggers'] ?? '[]') as string[]),
        row['drop_routine'] ?? '',
      ],
    }));
  },
};

const TRUNCATE = { what: 'truncate', when: 'after truncate on % for each statement' };
const STATEMENT_TRIGGERS = [
  {
    what: 'insert',
    when: 'after insert on % referencing new table as lockstep_new for each statement',
  },
  {
    what: 'update',
    when: 'after update on % referencing old table as lockstep_old new table as lockstep_new for each statement',
  },
  {
    what: 'delete',
    when: 'after delete on % referencing old table as lockstep_old for each statement',
  },
  TRUNCATE,
];
const ROW_TRIGGERS = [
  { what: 'row', when: 'after insert or update or delete on % for each row' },
  TRUNCATE,
];

/**
 * A change counts as Lockstep's own where Lockstep's transaction makes it directly or by a foreign key. What another
 * trigger changes in that transaction does not: it is made one trigger deeper.
 */
const IS_OWN =
  "coalesce(current_setting('lockstep.own', true), '') = 'on' and pg_trigger_depth() = 1";

function bodyOf(table: CapturedTable, place: string, isByRow: boolean): string {
  const sweeps = table.parts.map(({ resource }) => `(${literal(resource)}, '[]')`);
  return `declare
  is_own constant boolean := ${IS_OWN};
begin
  if tg_op = 'TRUNCATE' then
    insert into ${place}.lockstep_invalidations (resource, key) values ${sweeps.join(', ')};
    return null;
  end if;
${table.parts.map((each) => partSql(table, each, place, isByRow)).join('\n')}
  return null;
end`;
}

function partSql(
  table: CapturedTable,
  part: CapturedPart,
  place: string,
  isByRow: boolean,
): string {
  const from = isByRow ? rowSource : statementSource;
  const note = (rows: string): string => noteSql(table, part, place, rows);
  const guard = part.skipsOwn ? 'not is_own and ' : '';
  return `  if ${guard}tg_op = 'INSERT' then
    ${note(from.after(part))}
  elsif ${guard}tg_op = 'DELETE' then
    ${note(from.before(part))}
  elsif ${guard}tg_op = 'UPDATE' then
    ${note(`${from.before(part)} union ${from.after(part)}`)}
  end if;`;
}

/** Where the rows of a statement are. */
const statementSource = {
  before: (part: CapturedPart): string => `select ${comparedOf(part, 'r')} from lockstep_old as r`,
  after: (part: CapturedPart): string => `select ${comparedOf(part, 'r')} from lockstep_new as r`,
};
const rowSource = {
  before: (part: CapturedPart): string => `select ${comparedOf(part, 'old')}`,
  after: (part: CapturedPart): string => `select ${comparedOf(part, 'new')}`,
};

const comparedOf = ({ columns }: CapturedPart, row: string): string =>
  columns.map((column) => comparedSql(column, row)).join(', ');

/** Types of which equal values have one text, and whose texts are as the server prints them. */
const ONE_TEXT = new Set(['integer', 'bigint', 'uuid', 'date', 'bytes']);
/** Types whose cast to text is what the server prints. */
const PLAIN_TEXT = new Set(['decimal', 'text', 'time']);

/**
 * A column as the rows before and after a change are compared. Equal ones are noted once, so what counts is the text that
 * a read of Lockstep receives, byte for byte, whatever the column's type or collation takes for equal. Making these texts
 * is most of what a bulk change pays for, so types that need it not are compared as they are.
 */
function comparedSql({ name, type }: Column, row: string): string {
  const value = `${row}.${quote(name)}`;
  if (ONE_TEXT.has(type)) return value;
  // `concat` prints a value as the server does, but NULL as an empty text.
  const text =
    PLAIN_TEXT.has(type) || type.startsWith('timestamp')
      ? `${value}::text`
      : `case when ${value} is not null then concat(${value}) end`;
  return `(${text}) collate "C"`;
}

function noteSql(
  { name }: CapturedTable,
  { resource, columns }: CapturedPart,
  place: string,
  rows: string,
): string {
  const names = JSON.stringify(columns.map((column) => column.name));
  const aliases = columns.map((_, at) => `c${at}`);
  const values = aliases.map((alias) => `json_agg(noted.${alias}::text)`).join(', ');
  return `insert into ${place}.lockstep_invalidations (resource, key, changes)
    select ${literal(resource)}, '[]', json_build_object(
      'table', ${literal(name)}, 'columns', ${literal(names)}::json, 'values', json_build_array(${values}))
    from (
      select changed.*, (row_number() over () - 1) / ${ROWS_AT_ONCE} as part
      from (${rows}) as changed (${aliases.join(', ')})
    ) as noted
    group by noted.part;`;
}

/** Types that are printed alike whatever the writer's session has set. */
const ALIKE = new Set(['integer', 'bigint', 'decimal', 'text', 'uuid', 'boolean']);
const SETTINGS = [
  "DateStyle = 'ISO, YMD'",
  "IntervalStyle = 'iso_8601'",
  "TimeZone = 'UTC'",
  "bytea_output = 'hex'",
  'extra_float_digits = 3',
];

/** Each costs a little at each call, so only tables that need them have them. */
const settingsFor = ({ parts }: CapturedTable): string =>
  parts.every(({ columns }) => columns.every(({ type }) => ALIKE.has(type)))
    ? ''
    : SETTINGS.map((setting) => `set ${setting}`).join(' ');

const quoted = ({ name, schema }: CapturedTable): string => quoteTable(POSTGRES, name, schema);
const quote = (name: string): string => quoteName(POSTGRES, name);
/** No backslash ends a text early, whatever the session has set. */
const literal = (text: string): string =>
  (text.includes('\\') ? 'E' : '') + `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
