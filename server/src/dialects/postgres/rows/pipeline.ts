/**
 * Several statements sent as one packet. What PostgreSQL gets before a `Sync` is one transaction: it carries out one
 * statement after the other, and the first that fails takes back those before it, and leaves out those after it.
 */
import type pg from 'pg';
import type { RawResult, SentSql } from '../../../database/connections/driver.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';
import { pgResultType } from './result-types.ts';
import { LockstepError } from '../../../domain/index.ts';

/** What `pg` tells a query of its own about the answers of the server. */
interface AnswerHandlers extends pg.Submittable {
  handleRowDescription(message: { fields: readonly Field[] }): void;
  handleDataRow(message: { fields: (string | null)[] }): void;
  handleCommandComplete(message: { text: string }): void;
  handleEmptyQuery(): void;
  handleError(error: unknown): void;
  handleReadyForQuery(): void;
}

interface Field {
  name: string;
  dataTypeID: number;
}

/** What of `pg`'s connection a pipeline uses; the published types leave it out. */
interface PgConnection {
  /** The texts of the statements that the session has prepared, by name. */
  readonly parsedStatements: Record<string, string>;
  readonly stream: { cork(): void; uncork(): void };
  parse(statement: { name: string; text: string }): void;
  bind(portal: { statement: string; values: unknown[]; portal: string; binary: boolean }): void;
  describe(portal: { type: 'P'; name: string }): void;
  execute(portal: { portal: string; rows: number }): void;
  sync(): void;
  on(event: 'parseComplete', listener: () => void): void;
  off(event: 'parseComplete', listener: () => void): void;
}

/**
 * Sends the statements, and resolves when all of them are committed.
 * @param done filled with the results in the order of the statements; if it rejects, with those that came before the
 *   one that failed (all of them: the commit failed)
 */
export function runPipeline(
  connection: pg.Client,
  statements: readonly SentSql[],
  done: RawResult[],
): Promise<void> {
  const sent = statements.map(({ name = '', text, values }) => ({
    ...{ name, text },
    parameters: values.map(toParameter),
  }));
  return new Promise((resolve, reject) => {
    connection.query(new Pipeline(sent, done, { resolve, reject }));
  });
}

/** @throws LockstepError for a list, which no statement of a pipeline takes */
function toParameter(value: SqlValue): string | Buffer | null {
  if (value === null || typeof value === 'string' || Buffer.isBuffer(value)) return value;
  if (typeof value === 'object') throw new LockstepError('INTERNAL', 'A pipeline sends no lists.');
  return String(value);
}

/** `name`: empty where the statement is not kept prepared. */
interface PipelinedStatement {
  name: string;
  text: string;
  parameters: (string | Buffer | null)[];
}

class Pipeline implements AnswerHandlers {
  readonly #statements: readonly PipelinedStatement[];
  readonly #done: RawResult[];
  readonly #end: { resolve: () => void; reject: (error: unknown) => void };
  #fields: readonly Field[] = [];
  #rows: (string | null)[][] = [];
  #stopListening = (): void => undefined;

  constructor(
    statements: readonly PipelinedStatement[],
    done: RawResult[],
    end: { resolve: () => void; reject: (error: unknown) => void },
  ) {
    this.#statements = statements;
    this.#done = done;
    this.#end = end;
  }

  submit(connection: unknown): void {
    const to = connection as PgConnection;
    const unprepared = this.#unprepared(to);
    this.#notePrepared(to, [...unprepared]);
    to.stream.cork();
    try {
      for (const statement of this.#statements) {
        const { name, text, parameters } = statement;
        if (unprepared.has(statement)) to.parse({ name, text });
        to.bind({ statement: name, values: parameters, portal: '', binary: false });
        to.describe({ type: 'P', name: '' });
        to.execute({ portal: '', rows: 0 });
      }
      to.sync();
    } finally {
      to.stream.uncork();
    }
  }

  /** The statements that the session must prepare first; of those with one name, the first. */
  #unprepared({ parsedStatements }: PgConnection): Set<PipelinedStatement> {
    const names = new Set<string>();
    const unprepared = this.#statements.filter(({ name }) => {
      const isKnown = name !== '' && (names.has(name) || Object.hasOwn(parsedStatements, name));
      names.add(name);
      return !isKnown;
    });
    return new Set(unprepared);
  }

  /** `pg` notes a prepared statement under the name of the query in flight, and a pipeline has several. */
  #notePrepared(to: PgConnection, unprepared: readonly PipelinedStatement[]): void {
    let parsedCount = 0;
    const parsed = (): void => {
      const { name = '', text = '' } = unprepared[parsedCount++] ?? {};
      if (name !== '') to.parsedStatements[name] = text;
    };
    to.on('parseComplete', parsed);
    this.#stopListening = () => to.off('parseComplete', parsed);
  }

  handleRowDescription({ fields }: { fields: readonly Field[] }): void {
    this.#fields = fields;
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.#rows.push(fields);
  }

  handleCommandComplete({ text }: { text: string }): void {
    const fields = this.#fields;
    this.#done.push({
      columns: fields.map(({ name }) => name),
      types: () => fields.map(({ dataTypeID }) => pgResultType(dataTypeID)),
      rows: this.#rows,
      affected: Number(/\d+$/.exec(text)?.[0] ?? 0),
      insertId: null,
    });
    this.#rows = [];
    this.#fields = [];
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' });
  }

  handleError(error: unknown): void {
    this.#stopListening();
    this.#end.reject(error);
  }

  handleReadyForQuery(): void {
    this.#stopListening();
    this.#end.resolve();
  }
}
