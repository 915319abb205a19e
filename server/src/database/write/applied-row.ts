import { jsonText, type Row } from '@lockstep/shared';
import { LockstepError, mayCascade, type Column } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { sendSql } from '../connections/driver.ts';
import { notAdmitted } from '../connections/statement-failure.ts';
import type { AppliedRow, RowWrite } from '../port.ts';
import type { CompiledSql } from '../statements/sql-text.ts';
import { pickRelated } from '../values/stored-row.ts';
import { type ReachDialect, ReachedRows } from './reached-rows.ts';

/** A change that is made, and not finished yet. */
export interface MadeChange {
  version: number;
  /** The row before it: its key and the columns of `invalidates` at least; null where there was none. */
  before: Row | null;
  /** Rows that foreign keys change with this one; null where none of them is looked for. */
  reached: ReachedRows | null;
}

/** A dialect's statements that add outbox rows. */
export interface OutboxStatements {
  addRow: CompiledSql;
  addSecondDelete: CompiledSql;
}

/** @throws StatementFailure where the change is not for a row that is there, or is not there */
export function assertAdmitted({ change }: RowWrite, isThere: boolean): void {
  const isAdmitted = change.op === 'put' ? !(change.onlyCreate && isThere) : isThere;
  if (!isAdmitted) throw notAdmitted();
}

/** The rows that foreign keys change with this one, where they are to be looked for. */
export const reachedBy = (
  session: Session,
  dialect: ReachDialect,
  write: RowWrite,
  isThere: boolean,
): ReachedRows | null =>
  write.reach !== undefined && isThere && mayCascade(write.key.resource, write.change)
    ? new ReachedRows(session, dialect, write, write.reach)
    : null;

/** Leaves the outbox rows of a change that is made, and has left the row `after`. @throws StatementFailure */
export async function finishChange(
  session: Session,
  sql: OutboxStatements,
  write: RowWrite,
  { version, before, reached: found }: MadeChange,
  after: Row | null,
  columns: readonly Column[],
): Promise<AppliedRow> {
  const related = { before: pickRelated(columns, before), after: pickRelated(columns, after) };
  const stored = columns.length === 0 ? null : jsonText(related);
  const outboxId = write.outbox ? await addOutboxRows(session, sql, write, version, stored) : null;
  const reached = await found?.note();
  return {
    created: write.change.op === 'put' && before === null && after !== null,
    version,
    row: after,
    outboxId,
    related,
    ...(reached === undefined ? {} : { reached }),
  };
}

async function addOutboxRows(
  session: Session,
  sql: OutboxStatements,
  { key, secondDeleteAfterMs }: RowWrite,
  version: number,
  related: string | null,
): Promise<string> {
  const bindings = { resource: key.rows, key: key.rowText, version, related };
  const { insertId, rows } = await session.run(sendSql(sql.addRow, bindings));
  if (secondDeleteAfterMs !== undefined) {
    const again = { ...bindings, second_delete_after_ms: Math.round(secondDeleteAfterMs) };
    await session.run(sendSql(sql.addSecondDelete, again));
  }
  const id = insertId ?? rows[0]?.[0] ?? null;
  if (id === null) throw new LockstepError('INTERNAL', 'An outbox row without its number.');
  return String(id);
}
