/**
 * Runs the queries of derived resources: each in a transaction that only reads, its parameters bound, its rows and
 * their size bounded.
 */
import { jsonText, type JsonValue, type Row } from '@lockstep/shared';
import {
  type Column,
  type ColumnType,
  type Key,
  LockstepError,
  type QueryResource,
  type QuerySource,
  type QuerySpelling,
  type QueryText,
  ROWS_COLUMN,
} from '../../domain/index.ts';
import type { Connections, Session } from '../connections/connections.ts';
import type { RawResult, SentSql } from '../connections/driver.ts';
import { readOnly } from '../connections/read-only.ts';
import type { VersionedRow } from '../port.ts';
import { resultType } from '../values/result-types.ts';
import { decodeRow } from '../values/row-text.ts';
import queriesSql from './sql/queries.sql?raw';
import { namedSql } from '../statements/named-sql.ts';
import { renderSql } from '../statements/sql-text.ts';
import type { ErrorCodes } from '../statements/error-codes.ts';
import type { SqlValue } from '../statements/sql.ts';
import { StatementFailure, toDatabaseError } from '../connections/statement-failure.ts';

const SQL = namedSql(queriesSql, ['bound', 'describe']);

/** Largest answer, in characters of its values as the database writes them. */
const MAX_CHARACTERS = 1_048_576;

/** How a dialect runs queries. */
export interface QueryDialect {
  readonly spelling: QuerySpelling;
  /** What begins a transaction that only reads; it ends with a rollback. */
  readonly begin: readonly string[];
  /** The placeholder of the parameter `at`, which is noted in `order`: the parameter of each placeholder that is sent. */
  place(order: number[], at: number): string;
  /** A part of a key as a parameter. */
  parameter(type: ColumnType | undefined, part: string | null): SqlValue;
  /** Whether the result has a time in the zone `timeZone` of the session although its type names UTC. */
  isInSessionZone(type: ColumnType, timeZone: string): boolean;
}

/** A query as its driver takes it. */
interface SentQuery {
  text: string;
  /** Which of the key's parts each placeholder stands for. */
  order: readonly number[];
}

export interface QueryReaderOptions {
  connections: Connections;
  dialect: QueryDialect;
  codes: ErrorCodes;
  /** Of times without a zone. */
  timeZone: string;
}

export class QueryReader {
  readonly #connections: Connections;
  readonly #dialect: QueryDialect;
  readonly #codes: ErrorCodes;
  readonly #timeZone: string;
  readonly #compiled = new WeakMap<QuerySource, SentQuery>();

  constructor({ connections, dialect, codes, timeZone }: QueryReaderOptions) {
    this.#connections = connections;
    this.#dialect = dialect;
    this.#codes = codes;
    this.#timeZone = timeZone;
  }

  /**
   * Each key's answer as one row with the column `rows`, in order; the version is always 0.
   * @throws LockstepError `TOO_LARGE` over `maxRows` or 1 MiB, `INVALID` where the database does not take the
   *   parameters, `DATABASE_UNAVAILABLE`
   */
  async read(resource: QueryResource, keys: readonly Key[]): Promise<VersionedRow[]> {
    try {
      return await this.#readOnly(async (session) => {
        const answers: VersionedRow[] = [];
        for (const key of keys) {
          const result = await session.run(this.#sent(resource, key));
          const rows = rowsOf(resource, result, columnsOf(result, this.#dialect, this.#timeZone));
          answers.push({ version: 0, fence: 0, row: { [ROWS_COLUMN]: rows } });
        }
        return answers;
      });
    } catch (error) {
      if (
        error instanceof StatementFailure &&
        error.kind === 'refused' &&
        error.ground !== 'right'
      ) {
        throw notTaken(resource);
      }
      throw toDatabaseError(error, 'read');
    }
  }

  /** @see QueryCatalog */
  async fault(query: QueryText): Promise<string | null> {
    const { text, order } = compile(this.#dialect, query, query.parameters);
    const described = renderSql(SQL.describe, { query: text });
    try {
      const { columns } = await this.#readOnly((session) =>
        session.run({ text: described, values: order.map(() => null) }),
      );
      const twice = columns.find((name, index) => columns.indexOf(name) !== index);
      return twice === undefined ? null : `answers two columns ${twice}`;
    } catch (error) {
      if (!(error instanceof StatementFailure) || isPassing(this.#codes, error)) {
        throw toDatabaseError(error, 'read');
      }
      const { cause } = error;
      return cause instanceof Error ? cause.message : error.message;
    }
  }

  #readOnly<T>(read: (session: Session) => Promise<T>): Promise<T> {
    const { begin } = this.#dialect;
    return this.#connections.use((session) => readOnly(session, begin, () => read(session)));
  }

  #sent({ derivation, keyColumns }: QueryResource, { parts }: Key): SentSql {
    const { source: query } = derivation;
    let sent = this.#compiled.get(query);
    if (sent === undefined) {
      const names = keyColumns.map(({ name }) => name);
      const { text, order } = compile(this.#dialect, query.text, names);
      const bounded = renderSql(SQL.bound, { query: text, rows: String(query.maxRows + 1) });
      sent = { text: query.text.hasLimit ? text : bounded, order };
      this.#compiled.set(query, sent);
    }
    const values = sent.order.map((at) =>
      this.#dialect.parameter(keyColumns[at]?.type, parts[at] ?? null),
    );
    return { text: sent.text, values };
  }
}

function compile(
  dialect: QueryDialect,
  { parts }: QueryText,
  parameters: readonly string[],
): SentQuery {
  const order: number[] = [];
  const text = parts.map((part) =>
    'sql' in part ? part.sql : dialect.place(order, parameters.indexOf(part.parameter)),
  );
  return { text: text.join(''), order };
}

type ResultColumn = Pick<Column, 'name' | 'type'>;

function columnsOf(result: RawResult, dialect: QueryDialect, timeZone: string): ResultColumn[] {
  const types = result.types();
  return result.columns.map((name, index) => {
    const type = types[index] ?? 'other';
    return { name, type: resultType(type, dialect.isInSessionZone(type, timeZone), timeZone) };
  });
}

function rowsOf(
  { name, derivation }: QueryResource,
  result: RawResult,
  columns: readonly ResultColumn[],
): JsonValue[] {
  const { source: query } = derivation;
  if (result.rows.length > query.maxRows) {
    const text = `The query of ${name} answers more than ${query.maxRows} rows (maxRows).`;
    throw new LockstepError('TOO_LARGE', text);
  }
  let characters = 0;
  for (const values of result.rows) for (const value of values) characters += value?.length ?? 0;
  if (characters > MAX_CHARACTERS) {
    const text = `The query of ${name} answers more than ${MAX_CHARACTERS} characters.`;
    throw new LockstepError('TOO_LARGE', text);
  }
  const rows = result.rows.map((values): Row => decodeRow(columns, values));
  return query.text.isOrdered ? rows : inOneOrder(rows);
}

/** Rows that come in no order of their own get one, so that two answers of the same rows are the same. */
function inOneOrder(rows: readonly Row[]): Row[] {
  const texts = rows.map((row) => ({ row, text: jsonText(row) }));
  texts.sort((one, other) => (one.text < other.text ? -1 : one.text > other.text ? 1 : 0));
  return texts.map(({ row }) => row);
}

const notTaken = ({ name }: QueryResource): LockstepError => {
  const message = `is not what the query of ${name} takes`;
  return new LockstepError('INVALID', `key ${message}`, {
    details: { errors: [{ path: 'key', message }] },
  });
};

/** It says nothing about the query: too long, too many, cut off. */
const isPassing = (codes: ErrorCodes, { kind, code }: StatementFailure): boolean =>
  kind !== 'refused' && kind !== 'broken' && !codes.writes.includes(code);
