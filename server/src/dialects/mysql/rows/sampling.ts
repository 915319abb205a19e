import {
  isLocalTime,
  rowsName,
  tableNameParts,
  type Column,
  type Resource,
} from '../../../domain/index.ts';
import type { Random } from '../../../runtime/index.ts';
import type { Connections } from '../../../database/connections/connections.ts';
import { type RawValue, sendSql } from '../../../database/connections/driver.ts';
import { compileSql, quoteName, renderSql } from '../../../database/statements/sql-text.ts';
import type { SqlBindings, SqlValue } from '../../../database/statements/sql.ts';
import { decodeValue } from '../../../database/values/row-text.ts';
import { SQL } from './sql-texts.ts';
import { statementsOf } from './statements.ts';
import { mysqlValues } from './values.ts';
import { MYSQL } from '../spelling.ts';

/** A table of no more rows (by the server's estimate) is read whole and picked from. */
const WHOLE_TABLE_ROWS = 20_000;
/** Random places at which a larger table's key index is entered. */
const MAX_PROBES = 25;
/** Characters by which a text key's place is narrowed down, beyond those that all keys share. */
const MAX_DEPTH = 6;

/**
 * Random keys of a table at bounded cost. MySQL has no TABLESAMPLE: a large table's index is entered at random places
 * between its first and last key, and a short run is read from each. Keys after a gap are so picked more often. The
 * place of a text key is found letter by letter among the letters that are there, as if each had as many keys behind
 * it. For finding drift that does.
 */
export class MysqlSampling {
  readonly #connections: Connections;
  readonly #random: Random;

  constructor(connections: Connections, random: Random) {
    this.#connections = connections;
    this.#random = random;
  }

  async sampleKeys(resource: Resource, count: number): Promise<RawValue[][]> {
    const { table, keyList: key } = statementsOf(resource);
    if ((await this.#estimate(resource.table)) > WHOLE_TABLE_ROWS)
      return this.#probe(resource, count);
    return this.#query(SQL.catalog['sample-keys'], { key, table }, { count });
  }

  recentKeys(resource: Resource, count: number): Promise<RawValue[][]> {
    const bindings = { resource: rowsName(resource), count };
    return this.#query(SQL.keys['list-recent-keys'], {}, bindings);
  }

  async #probe(resource: Resource, count: number): Promise<RawValue[][]> {
    const { table, keyList: key } = statementsOf(resource);
    const [column] = resource.keyColumns;
    if (column === undefined) return [];
    const first = `r.${quoteName(MYSQL, column.name)}`;
    const [bounds = []] = await this.#query(SQL.catalog['find-key-bounds'], { first, table }, {});
    if (bounds.every((bound) => bound === null)) return [];
    const [low = '', high = ''] = bounds.map((value) =>
      String(decodeValue(column.type, value) ?? ''),
    );
    const probes = Math.min(MAX_PROBES, count);
    const rows: RawValue[][] = [];
    for (let probe = 0; probe < probes; probe++) {
      const from =
        column.type === 'text'
          ? await this.#textBetween({ first, table }, low, high)
          : between(column, low, high, this.#random);
      const fragments = { key, table, first };
      const bindings = { from, count: Math.ceil(count / probes) };
      rows.push(...(await this.#query(SQL.catalog['list-keys-from'], fragments, bindings)));
    }
    return rows;
  }

  /** Goes down the tree of letters, at each fork to a random branch that is there. */
  async #textBetween(
    fragments: { first: string; table: string },
    lowest: string,
    highest: string,
  ): Promise<string> {
    let low = lowest;
    let high = highest;
    for (let depth = 0; depth < MAX_DEPTH && low !== high; depth++) {
      const place = sharedLength(low, high);
      const to = high.charCodeAt(place);
      const from = Math.min(to, low.charCodeAt(place) || FIRST_LETTER);
      const letter = from + Math.floor(this.#random.next() * (to - from + 1));
      const prefix = low.slice(0, place);
      const found = await this.#text(SQL.catalog['find-first-key'], fragments, {
        from: withLetter(prefix, letter),
      });
      if (found === null) break;
      const below = withLetter(prefix, (found.charCodeAt(place) || 0) + 1);
      const last = await this.#text(SQL.catalog['find-last-key'], fragments, { below });
      low = found;
      if (last === null || last < low) break; // the collation orders otherwise
      high = last;
    }
    return low;
  }

  async #text(
    template: string,
    fragments: Record<string, string>,
    bindings: SqlBindings,
  ): Promise<string | null> {
    const [row] = await this.#query(template, fragments, bindings);
    const value = row?.[0] ?? null;
    return value === null ? null : String(value);
  }

  async #estimate(table: string): Promise<number> {
    const [name = '', schema] = [...tableNameParts(table)].reverse();
    const fragments = { schema: schema === undefined ? 'database()' : ':schema' };
    const bindings = { name, ...(schema === undefined ? {} : { schema }) };
    const estimate = await this.#text(SQL.catalog['estimate-table-rows'], fragments, bindings);
    return Number(estimate ?? 0);
  }

  async #query(
    template: string,
    fragments: Record<string, string>,
    bindings: SqlBindings,
  ): Promise<RawValue[][]> {
    const sql = sendSql(compileSql(MYSQL, renderSql(template, fragments)), bindings);
    return (await this.#connections.use((session) => session.run(sql))).rows;
  }
}

/** A random place from `low` to `high` in the order of the column; `low` where there is no telling. */
function between(column: Column, low: string, high: string, random: Random): SqlValue {
  switch (isLocalTime(column.type) ? 'timestamp' : column.type) {
    case 'uuid':
      return UUID_FORM.replace(/x/g, () => randomHex(random));
    case 'integer':
    case 'bigint':
      return numberBetween(BigInt(low), BigInt(high), random);
    case 'decimal':
      return numberBetween(BigInt(low.split('.')[0] ?? 0), BigInt(high.split('.')[0] ?? 0), random);
    case 'bytes':
      return bytesBetween(Buffer.from(low, 'base64'), Buffer.from(high, 'base64'), random);
    case 'date':
    case 'timestamp': {
      const [from, to] = [Date.parse(low), Date.parse(high)];
      if (Number.isNaN(from) || Number.isNaN(to)) return mysqlValues.keyPart(column, low);
      const at = new Date(from + random.next() * (to - from)).toISOString();
      return mysqlValues.keyPart(column, column.type === 'date' ? at.slice(0, 10) : at);
    }
    default:
      return mysqlValues.keyPart(column, low);
  }
}

function numberBetween(low: bigint, high: bigint, random: Random): bigint {
  const span = high - low + 1n;
  return low + (span * BigInt(Math.floor(random.next() * 2 ** 30))) / 2n ** 30n;
}

/** By the first bytes, which are enough to tell places in a large table. */
function bytesBetween(low: Buffer, high: Buffer, random: Random): Buffer {
  const first = (bytes: Buffer): number =>
    Buffer.concat([bytes, Buffer.alloc(PLACE_BYTES)]).readUIntBE(0, PLACE_BYTES);
  const place = first(low) + Math.floor(random.next() * (first(high) - first(low) + 1));
  const bytes = Buffer.alloc(PLACE_BYTES);
  bytes.writeUIntBE(place, 0, PLACE_BYTES);
  return bytes;
}

const PLACE_BYTES = 6;

/** Where a key ends, the keys that go on from it begin hardly lower. */
const FIRST_LETTER = '0'.charCodeAt(0);
const UUID_FORM = 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx';
const randomHex = (random: Random): string => Math.floor(random.next() * 16).toString(16);

function sharedLength(low: string, high: string): number {
  let length = 0;
  while (length < low.length && low[length] === high[length]) length++;
  return length;
}

const withLetter = (prefix: string, letter: number): string =>
  (prefix + String.fromCharCode(letter)).toWellFormed();
