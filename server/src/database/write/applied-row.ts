import { jsonText, type Row } from '@lockstep/shared';
import { LockstepError, mayCascade, type Column } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { type RawResult, sendSql, type SentSql } from '../connections/driver.ts';
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

/** Whether the change is for a row that is there, or is not there. */
export const isRowAdmitted = ({ change }: RowWrite, isThere: boolean): boolean =>
  change.op === 'put' ? !(change.onlyCreate && isThere) : isThere;

/** @throws StatementFailure where it is not */
export function assertAdmitted(write: RowWrite, isThere: boolean): void {
  if (!isRowAdmitted(write, isThere)) throw notAdmitted();
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

/** What a change did to the columns that related cache keys are made of. */
export const relatedOf = (
  columns: readonly Column[],
  before: Row | null,
  after: Row | null,
): AppliedRow['related'] => ({
  before: pickRelated(columns, before),
  after: pickRelated(columns, after),
});

/** `lockstep_outbox.related` */
export const relatedText = (
  columns: readonly Column[],
  related: AppliedRow['related'],
): string | null => (columns.length === 0 ? null : jsonText(related));

/** Whether the write made a row that was not there. */
export const isCreated = ({ change }: RowWrite, before: Row | null, after: Row | null): boolean =>
  change.op === 'put' && before === null && after !== null;

/** Leaves the outbox rows of a change that is made, and has left the row `after`. @throws StatementFailure */
export async function finishChange(
  session: Session,
  sql: OutboxStatements,
  write: RowWrite,
  { version, before, reached: found }: MadeChange,
  after: Row | null,
  columns: readonly Column[],
): Promise<AppliedRow> {
  const related = relatedOf(columns, before, after);
  const adding = outboxSql(sql, write, version, relatedText(columns, related));
  const outboxId = outboxIdOf(write, await session.runAll(adding));
  const reached = await found?.addOutboxRows();
  return {
    created: isCreated(write, before, after),
    version,
    row: after,
    outboxId,
    related,
    ...(reached === undefined ? {} : { reached }),
  };
}

/** The statements that add the outbox rows of a write. */
export function outboxSql(
  sql: OutboxStatements,
  { key, outbox, secondDeleteAfterMs }: RowWrite,
  version: number,
  related: string | null,
): SentSql[] {
  if (!outbox) return [];
  const bindings = { resource: key.rows, key: key.rowText, version, related };
  const added = [sendSql(sql.addRow, bindings)];
  if (secondDeleteAfterMs !== undefined) {
    const again = { ...bindings, second_delete_after_ms: Math.round(secondDeleteAfterMs) };
    added.push(sendSql(sql.addSecondDelete, again));
  }
  return added;
}

/** @param answers to the statements of `outboxSql` */
export function outboxIdOf({ outbox }: RowWrite, answers: readonly RawResult[]): string | null {
  if (!outbox) return null;
  const [added] = answers;
  const id = added?.insertId ?? added?.rows[0]?.[0] ?? null;
  if (id === null) throw new LockstepError('INTERNAL', 'An outbox row without its number.');
  return String(id);
}
