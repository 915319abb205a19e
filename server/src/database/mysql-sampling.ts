import { keyFromRow, type Column, type Key, type Resource } from '../domain/index.ts';
import type { Random } from '../runtime/index.ts';
import type { RawResult, SentSql } from './driver.ts';
import type { MysqlStatements } from './mysql-statements.ts';
import { decodeRow, decodeValue } from './row-text.ts';
import boundsSql from './sql/mysql/key-bounds.sql?raw';
import keysFromSql from './sql/mysql/keys-from.sql?raw';
import recentSql from './sql/mysql/recent-keys.sql?raw';
import sampleSql from './sql/mysql/sample-keys.sql?raw';
import tableRowsSql from './sql/mysql/table-rows.sql?raw';
import { bindSql, compileSql, quoteName, renderSql } from './sql-text.ts';
import type { SqlBindings } from './sql.ts';

/** A table of no more rows (by the server's estimate) is read whole and picked from. */
const WHOLE_TABLE_ROWS = 20_000;
/** Random places at which a larger table's key index is entered. */
const MAX_PROBES = 50;

/**
 * Random keys of a table at bounded cost. MySQL has no TABLESAMPLE: a large table's index is entered at random places
 * between its first and last key, and a short run is read from each. Keys after a gap are so picked more often, and
 * text keys as if their letters were even; for finding drift that does.
 */
export class MysqlSampling {
  readonly #run: (sql: SentSql) => Promise<RawResult>;
  readonly #random: Random;

  constructor(run: (sql: SentSql) => Promise<RawResult>, random: Random) {
    this.#run = run;
    this.#random = random;
  }

  async sample(resource: Resource, statements: MysqlStatements, count: number): Promise<Key[]> {
    const { table, keyList: key } = statements;
    const rows =
      (await this.#estimate(resource.table)) <= WHOLE_TABLE_ROWS
        ? (await this.#query(sampleSql, { key, table }, { count })).rows
        : await this.#probe(resource, statements, count);
    const keys = new Map<string, Key>();
    for (const values of rows) {
      const found = keyFromRow(resource, decodeRow(resource.keyColumns, values));
      if (found !== null) keys.set(found.text, found);
    }
    return [...keys.values()].slice(0, count);
  }

  async recent(resource: Resource, count: number): Promise<string[]> {
    const { rows } = await this.#query(recentSql, {}, { resource: resource.name, count });
    return rows.map(([key]) => String(key));
  }

  async #probe(
    resource: Resource,
    { table, keyList: key }: MysqlStatements,
    count: number,
  ): Promise<RawResult['rows']> {
    const [column] = resource.keyColumns;
    if (column === undefined) return [];
    const first = `r.${quoteName('mysql2', column.name)}`;
    const bounds = (await this.#query(boundsSql, { first, table }, {})).rows[0] ?? [];
    const [low = '', high = ''] = bounds.map((value) =>
      String(decodeValue(column.type, value) ?? ''),
    );
    const probes = Math.min(MAX_PROBES, count);
    const rows: RawResult['rows'] = [];
    for (let probe = 0; probe < probes; probe++) {
      const from = between(column, low, high, this.#random);
      const fragments = { key, table, first, from: ':from' };
      const bindings = { from, count: Math.ceil(count / probes) };
      rows.push(...(await this.#query(keysFromSql, fragments, bindings)).rows);
    }
    return rows;
  }

  async #estimate(table: string): Promise<number> {
    const [name = '', schema] = table.split('.').reverse();
    const fragments = { schema: schema === undefined ? 'database()' : ':schema' };
    const bindings = { name, ...(schema === undefined ? {} : { schema }) };
    return Number((await this.#query(tableRowsSql, fragments, bindings)).rows[0]?.[0] ?? 0);
  }

  #query(
    template: string,
    fragments: Record<string, string>,
    bindings: SqlBindings,
  ): Promise<RawResult> {
    const sql = compileSql('mysql2', renderSql(template, fragments));
    return this.#run({ text: sql.text, values: bindSql(sql, bindings) });
  }
}

/** A random key value from `low` to `high`. */
function between(column: Column, low: string, high: string, random: Random): string | bigint {
  if (column.type === 'integer' || column.type === 'bigint') {
    const span = BigInt(high) - BigInt(low) + 1n;
    return BigInt(low) + (span * BigInt(Math.floor(random.next() * 2 ** 30))) / 2n ** 30n;
  }
  if (column.type === 'uuid') return randomText('0123456789abcdef', 8, random);
  let shared = 0;
  while (shared < low.length && low[shared] === high[shared]) shared++;
  const from = low.charCodeAt(shared) || 32;
  const to = Math.max(from, high.charCodeAt(shared) || 126);
  const next = String.fromCharCode(from + Math.floor(random.next() * (to - from + 1)));
  return low.slice(0, shared) + (next.isWellFormed() ? next : '') + randomText(ALPHABET, 3, random);
}

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';

function randomText(alphabet: string, length: number, random: Random): string {
  return Array.from(
    { length },
    () => alphabet[Math.floor(random.next() * alphabet.length)] ?? '',
  ).join('');
}
