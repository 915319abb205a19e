import type { Answer, ApiClient } from '../support/api-client.ts';
import { rawMembers, rawObject } from './raw-json.ts';
import { tableName } from './sample-rows.ts';
import type { SideDatabase, SqlText } from './side-database.ts';
import type { Table } from './tables.ts';

const MOST_ROWS = 5;

/** What came out of one table's rows. Each fault is a sentence that names the columns, and holds no values. */
export interface Verdict {
  rows: number;
  /** Columns whose stored value changed when what had been read was written back. */
  changed: string[];
  /** Reads through the cache, or answers of writes, that differ from a read of the primary. */
  different: string[];
  /** Calls that failed although plain SQL does the same. */
  failed: string[];
  /** Writes that the schema itself refuses, also in plain SQL. */
  refusedBySchema: number;
}

/** Reads each row by the primary and twice through the cache, writes back what was read, and compares what is stored. */
export async function judgeTable(
  api: ApiClient,
  resource: string,
  table: Table,
  database: SideDatabase,
): Promise<Verdict> {
  const verdict: Verdict = { rows: 0, changed: [], different: [], failed: [], refusedBySchema: 0 };
  for (const key of await keysOf(database, table)) {
    verdict.rows++;
    await judgeRow(verdict, { api, resource, table, database, key });
  }
  return verdict;
}

interface JudgedRow {
  api: ApiClient;
  resource: string;
  table: Table;
  database: SideDatabase;
  /** The server's own text of each key column. */
  key: string[];
}

async function judgeRow(verdict: Verdict, row: JudgedRow): Promise<void> {
  const { api, resource } = row;
  const key = spelledKey(row);
  const read = async (query = ''): Promise<Answer> => api.get(resource, key, query);
  const primary = await read('?consistency=primary');
  if (primary.status !== 200) {
    verdict.failed.push(`a read of the primary answered ${outcomeOf(primary)}`);
    return;
  }
  for (let times = 0; times < 2; times++) compare(verdict, 'read', await read(), primary);
  const expected = await changedBySqlItself(row);
  if (expected === null) verdict.refusedBySchema++;
  const body = writable(row, primary);
  if (expected === null || body === null) return;
  const before = await storedTexts(row);
  for (const method of ['PATCH', 'PUT'] as const) {
    const written = await api.call(method, pathOf(resource, key), {
      rawBody: body,
      headers: { 'content-type': 'application/json' },
    });
    if (written.status !== 200) {
      verdict.failed.push(`${method} of what was read answered ${outcomeOf(written)}`);
      continue;
    }
    const now = await read('?consistency=primary');
    compare(verdict, `answer of ${method}`, written, now);
    compare(verdict, `read after ${method}`, await read(), now);
    noteChanges(verdict, method, before, await storedTexts(row), expected);
  }
}

function noteChanges(
  verdict: Verdict,
  method: string,
  before: Map<string, SqlText>,
  after: Map<string, SqlText>,
  expected: ReadonlySet<string>,
): void {
  for (const [column, text] of after) {
    if (text !== before.get(column) && !expected.has(column))
      verdict.changed.push(`${column} (${method})`);
  }
}

function compare(verdict: Verdict, what: string, answer: Answer, primary: Answer): void {
  if (answer.status !== 200) {
    verdict.failed.push(`${what} answered ${outcomeOf(answer)}`);
    return;
  }
  const ours = rawMembers(rawMembers(answer.text).get('value') ?? '{}');
  const theirs = rawMembers(rawMembers(primary.text).get('value') ?? '{}');
  for (const [column, text] of theirs)
    if (ours.get(column) !== text) verdict.different.push(`${column} (${what})`);
}

/** The body that writes back what was read: all but the key and what the database computes; null: there is nothing. */
function writable({ table }: JudgedRow, primary: Answer): string | null {
  const fixed = new Set(table.columns.filter((c) => c.generated).map((c) => c.name));
  for (const name of table.key ?? []) fixed.add(name);
  const value = rawMembers(rawMembers(primary.text).get('value') ?? '{}');
  const members = [...value].filter(([name]) => !fixed.has(name));
  return members.length === 0 ? null : rawObject(members);
}

/**
 * The columns that change when plain SQL sets the row to itself: triggers and `on update` do that, not the product.
 * Null where the schema refuses even that.
 */
async function changedBySqlItself(row: JudgedRow): Promise<Set<string> | null> {
  const { database, table, key } = row;
  const settable = table.columns.filter(
    ({ name, generated }) => !generated && !table.key?.includes(name),
  );
  if (settable.length === 0) return new Set();
  const same = settable.map(({ name }) => `${database.quote(name)} = ${database.quote(name)}`);
  const before = await storedTexts(row);
  await database.query('begin');
  try {
    await database.query(
      `update ${tableName(database, table)} set ${same.join(', ')} where ${isKey(row)}`,
      key,
    );
    if (database.client === 'pg') await database.query('set constraints all immediate');
    const after = await storedTexts(row);
    return new Set([...after].filter(([n, text]) => text !== before.get(n)).map(([n]) => n));
  } catch {
    return null;
  } finally {
    await database.query('rollback');
  }
}

async function keysOf(database: SideDatabase, table: Table): Promise<string[][]> {
  const names = (table.key ?? []).map((name) => keyText(database, table, name)).join(', ');
  const rows = await database.query(
    `select ${names} from ${tableName(database, table)} limit ${MOST_ROWS}`,
  );
  return rows.map((row) => row.map(String));
}

/** Bytes as hex on MySQL, which has no text of its own for them; else the server's text. */
function keyText(database: SideDatabase, table: Table, name: string): string {
  return isBytes(database, table, name) ? `hex(${database.quote(name)})` : textOf(database, name);
}

function isBytes(database: SideDatabase, table: Table, name: string): boolean {
  const type = table.columns.find((column) => column.name === name)?.type ?? '';
  return database.client === 'mysql2' && /binary|blob|^bit/i.test(type);
}

const textOf = (database: SideDatabase, name: string): string =>
  database.client === 'pg'
    ? `${database.quote(name)}::text`
    : `cast(${database.quote(name)} as char)`;

function isKey({ database, table }: JudgedRow): string {
  return (table.key ?? [])
    .map((name, index) =>
      database.client === 'pg'
        ? `${database.quote(name)}::text = $${index + 1}`
        : `${keyText(database, table, name)} = ?`,
    )
    .join(' and ');
}

/** The key as the API spells it: bytes are base64, times are ISO 8601, the rest is what the server writes. */
function spelledKey({ database, table, key }: JudgedRow): string[] {
  return key.map((text, index) => {
    const column = table.columns.find(({ name }) => name === table.key?.[index]);
    if (column === undefined) return text;
    if (isBytes(database, table, column.name)) return base64OfHex(text, column.type);
    if (/^\\x/.test(text)) return base64OfHex(text.slice(2), column.type);
    if (/^(timestamp|datetime)/i.test(column.type))
      return `${text.replace(' ', 'T').replace(/\+00$/, '')}Z`;
    return text;
  });
}

/** MySQL writes the hex of `bit` without zeros in front. */
function base64OfHex(hex: string, type: string): string {
  const bits = Number(/^bit\((\d+)\)/i.exec(type)?.[1] ?? 0);
  return Buffer.from(hex.padStart(2 * Math.ceil(bits / 8), '0'), 'hex').toString('base64');
}

/** Every column as it is stored. */
async function storedTexts(row: JudgedRow): Promise<Map<string, SqlText>> {
  const { database, table, key } = row;
  const texts = table.columns.map(({ name, type }) => storedText(database, name, type)).join(', ');
  const [values = []] = await database.query(
    `select ${texts} from ${tableName(database, table)} where ${isKey(row)}`,
    key,
  );
  return new Map(table.columns.map(({ name }, index) => [name, values[index] ?? null]));
}

function storedText(database: SideDatabase, name: string, type: string): string {
  const quoted = database.quote(name);
  // Blanks between the tokens of a document mean nothing, and nobody promises to keep them (docs/types.md).
  if (type === 'json' && database.client === 'pg')
    return `regexp_replace(${quoted}::text, '\\s', '', 'g')`;
  if (database.client === 'pg') return `${quoted}::text`;
  if (/^float/i.test(type)) return `cast(cast(${quoted} as double) as char)`;
  if (/^((tiny|small|medium|big)?int|decimal|double|year|date|time)/i.test(type))
    return `cast(${quoted} as char)`;
  return `hex(${quoted})`;
}

const pathOf = (resource: string, key: readonly string[]): string =>
  `/v1/resources/${encodeURIComponent(resource)}/${key.map(encodeURIComponent).join(',')}`;

const outcomeOf = ({ status, body }: Answer): string => {
  const fields = (body as { errors?: { path: string; message: string }[] }).errors ?? [];
  const named = fields.map(({ path, message }) => `${path} ${message}`).join('; ');
  return `${status} ${body.code ?? ''}${named === '' ? '' : ` (${named})`}`;
};
