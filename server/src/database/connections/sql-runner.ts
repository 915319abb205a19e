import { LockstepError } from '../../domain/index.ts';
import type { Connections, Session } from './connections.ts';
import { type RawResult, sendSql } from './driver.ts';
import { refusalOf, type RefusalCodes } from './refusals.ts';
import { compileSql, dialectText, type CompiledSql } from '../statements/sql-text.ts';
import type {
  SqlBindings,
  SqlDialect,
  SqlResult,
  SqlRow,
  SqlRunner,
  SqlStatement,
} from '../statements/sql.ts';
import { StatementFailure, toDatabaseError } from './statement-failure.ts';

/** Lockstep's own SQL for other capabilities' adapters. */
export function createSqlRunner(connections: Connections, dialect: SqlDialect): SqlRunner {
  const { refusalCodes } = connections;
  const compiled = new WeakMap<SqlStatement, CompiledSql>();

  async function runOn(
    session: Session,
    statement: SqlStatement,
    bindings: SqlBindings,
  ): Promise<SqlResult> {
    let sql = compiled.get(statement);
    if (sql === undefined) {
      sql = compileSql(dialect.spelling, dialectText(statement, dialect));
      compiled.set(statement, sql);
    }
    return toSqlResult(await session.run(sendSql(sql, bindings)));
  }

  const callerError =
    (lost: 'unknown' | 'commit') =>
    (error: unknown): never => {
      throw toCallerError(refusalCodes, error, lost);
    };

  return {
    dialect,
    run: (statement, bindings = {}) =>
      connections
        .use((session) => runOn(session, statement, bindings))
        .catch(callerError('unknown')),
    transaction: (work) =>
      connections
        .transaction((session) =>
          work({ run: (statement, bindings = {}) => runOn(session, statement, bindings) }),
        )
        .catch(callerError('commit')),
    session: (work) =>
      connections
        .use((session) =>
          work({
            run: (statement, bindings = {}) =>
              runOn(session, statement, bindings).catch(callerError('unknown')),
          }),
        )
        .catch(callerError('unknown')),
  };
}

/** A driver's answer with its rows by column name. */
export function toSqlResult(result: RawResult): SqlResult {
  const rows = result.rows.map((values) => {
    const row: SqlRow = {};
    for (const [index, name] of result.columns.entries()) {
      const value = values[index] ?? null;
      row[name] = typeof value === 'string' || value === null ? value : value.toString('utf8');
    }
    return row;
  });
  return { rows, affected: result.affected, insertId: result.insertId };
}

function toCallerError(codes: RefusalCodes, error: unknown, lost: 'unknown' | 'commit'): unknown {
  if (!(error instanceof StatementFailure)) return error;
  if (error.kind === 'refused') {
    const refusal = refusalOf(codes, error);
    if (refusal?.reason === 'constraint') {
      return new LockstepError('CONSTRAINT', `The database refused: ${refusal.constraint}`, {
        details: { constraint: refusal.constraint },
        cause: error,
      });
    }
    return new LockstepError('INVALID', 'A value does not fit its column.', { cause: error });
  }
  if (error.kind === 'lost' && lost === 'unknown') {
    return new LockstepError('DATABASE_UNAVAILABLE', 'The database did not answer.', {
      outcome: 'unknown',
      cause: error,
    });
  }
  return toDatabaseError(error, 'write');
}
