/**
 * Keys of new rows on MySQL and MariaDB. A default that does not depend on other columns is evaluated before the row is
 * written. The number of an `auto_increment` column is known only once the row is inserted: the row is inserted and rolled
 * back. The server gives a number out once, also if its insert is rolled back.
 */
import type { Row } from '@lockstep/shared';
import { type Column, emptyRow, type NewRow } from '../../../domain/index.ts';
import type { Budget, Connections, Session } from '../../../database/connections/connections.ts';
import { type SentSql, sendSql } from '../../../database/connections/driver.ts';
import { refusalOf } from '../../../database/connections/refusals.ts';
import { StatementFailure } from '../../../database/connections/statement-failure.ts';
import type { NewKey } from '../../../database/port.ts';
import {
  compileSql,
  quoteName,
  quoteTable,
  renderSql,
} from '../../../database/statements/sql-text.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';
import { decodeRow, encodeValue } from '../../../database/values/row-text.ts';
import { MAX_ATTEMPTS, tooManyRaces } from '../../../database/write/attempt.ts';
import { leftOut, newKeyOf } from '../../../database/write/new-key.ts';
import { SQL } from './sql-texts.ts';
import { mysqlValues } from './values.ts';
import { MYSQL } from '../spelling.ts';

/** Ends the transaction of an insert that was made for its number. */
class Numbered extends Error {
  override readonly name = 'Numbered';
  readonly number: string | null;

  constructor(number: string | null) {
    super('numbered');
    this.number = number;
  }
}

export async function makeMysqlKey(connections: Connections, row: NewRow): Promise<NewKey> {
  const { evaluated, numbered } = leftOut(row);
  const made: Row = emptyRow();
  for (const column of evaluated) {
    const value = await connections.use((session) => evaluate(session, column));
    if (value === null) return { status: 'not-made', column: column.name, why: DEPENDS };
    Object.assign(made, value);
  }
  if (numbered === null) return newKeyOf(row, made);
  try {
    const number = await nextNumber(connections, insertOf(row, made));
    return newKeyOf(row, { ...made, [numbered.name]: number });
  } catch (error) {
    if (!(error instanceof StatementFailure)) throw error;
    const refusal = refusalOf(connections.refusalCodes, error);
    if (refusal === null) throw error;
    return { status: 'refused', refusal };
  }
}

const DEPENDS =
  'is of the key, and its default can be worked out only while the row is written; give it';

/** Null where the default names other columns. */
async function evaluate(session: Session, column: Column): Promise<Row | null> {
  try {
    const text = `select (${column.defaultSql ?? 'null'})`;
    return decodeRow([column], (await session.run({ text, values: [] })).rows[0] ?? []);
  } catch (error) {
    if (error instanceof StatementFailure && error.kind === 'broken') return null;
    throw error;
  }
}

/** @throws StatementFailure */
async function nextNumber(connections: Connections, insert: SentSql): Promise<string | null> {
  const budget: Budget = { startedAtMs: null };
  for (let attempts = 1; ; attempts++) {
    try {
      return await connections.transaction(async (session): Promise<never> => {
        throw new Numbered((await session.run(insert)).insertId);
      }, budget);
    } catch (error) {
      if (error instanceof Numbered) return error.number;
      if (!(error instanceof StatementFailure && error.passing)) throw error;
      if (attempts === MAX_ATTEMPTS) throw tooManyRaces(error);
    }
  }
}

function insertOf({ resource, parts, set }: NewRow, made: Row): SentSql {
  const bindings: Record<string, SqlValue> = {};
  const given: Row = { ...set, ...made };
  const columns = resource.columns.filter(
    ({ name }) => Object.hasOwn(parts, name) || Object.hasOwn(given, name),
  );
  for (const [index, column] of columns.entries()) {
    const part = Object.hasOwn(parts, column.name) ? parts[column.name] : undefined;
    bindings[`value_${index}`] =
      part === undefined
        ? encodeValue(mysqlValues, column, given[column.name] ?? null)
        : mysqlValues.keyPart(column, part);
  }
  const sql = renderSql(SQL.rows['insert-for-number'], {
    table: quoteTable(MYSQL, resource.table),
    names: columns.map(({ name }) => quoteName(MYSQL, name)).join(', '),
    values: columns.map((_, index) => `:value_${index}`).join(', '),
  });
  return sendSql(compileSql(MYSQL, sql), bindings);
}
