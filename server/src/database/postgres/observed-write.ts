/**
 * A write on a table with triggers or rules, step by step within a transaction of the caller's: one statement would
 * answer the row before they are done with it.
 *
 *   count up the version -> look at the row, locked -> change it -> (all other writes) -> let fire what waits for the commit -> look again
 */
import { jsonText } from '@lockstep/shared';
import { GONE, keyFromRow, LockstepError, mayCascade, type Key } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { type RawResult, sendSql } from '../connections/driver.ts';
import { judgeChange, type SeenRow } from './observed-change.ts';
import { encodeApplied } from '../write/outcome-record.ts';
import { nameSql, type NamedSql } from './names.ts';
import type { PgObservedStatements } from './observed-statements.ts';
import { keyBindings, writeBindings } from './write-bindings.ts';
import type { AppliedRow, RowWrite, VersionedRow } from '../port.ts';
import { type ReachDialect, ReachedRows } from '../write/reached-rows.ts';
import { refusalOf } from '../connections/refusals.ts';
import { pgRefusalCodes } from './failure.ts';
import { decodeRow } from '../values/row-text.ts';
import { SQL } from './sql-texts.ts';
import { NOT_ADMITTED, StatementFailure } from '../connections/statement-failure.ts';
import { pickRelated } from '../values/stored-row.ts';
import { type Attempt, ChangeRefused } from '../write/write-flow.ts';

const RECORD_ROW_XID = nameSql(SQL.keys['record-row-xid']);
const LOCK_KEY = nameSql(SQL.keys['lock-key']);
const ADD_OUTBOX_ROW = nameSql(SQL.outbox['add-row']);
const ADD_SECOND_DELETE = nameSql(SQL.outbox['add-second-delete']);
const REMEMBER = nameSql(SQL.outcomes.add);

/** A change that is made, and not looked at yet. */
export interface MadeChange {
  version: number;
  before: SeenRow | null;
  ran: boolean;
  storedAs: 'asked' | 'other' | 'untold';
  /** Rows that foreign keys change with this one; null where none of them is looked for. */
  reached: ReachedRows | null;
}

/** @throws StatementFailure, ChangeRefused */
export async function makeChange(
  session: Session,
  statements: PgObservedStatements,
  write: RowWrite,
  dialect: ReachDialect,
  read: (session: Session, key: Key) => Promise<VersionedRow>,
): Promise<MadeChange> {
  const { key, change, ifMatch, byForeignKey, reach } = write;
  if (ifMatch !== undefined) await assertMatch(session, statements, write, read);
  const bindings = writeBindings(write, statements.related);
  const run = (sql: NamedSql): Promise<RawResult> => session.run(sendSql(sql, bindings));
  const [counted] = (await run(statements.countUpVersion(write))).rows;
  if (counted === undefined) throw notAdmitted();
  const version = Number(counted[0]);
  if (ifMatch !== undefined && version !== ifMatch + 1) throw notAdmitted();
  const isParent = byForeignKey !== true && mayCascade(key.resource, change);
  const lock = isParent ? statements.lockParent : statements.lockRow;
  const before = seenRow(key, (await run(lock)).rows[0]);
  if (byForeignKey === true)
    return { version, before, ran: true, storedAs: 'asked', reached: null };
  if (change.op === 'put' ? change.onlyCreate && before !== null : before === null)
    throw notAdmitted();
  const reached =
    isParent && reach !== undefined && before !== null
      ? new ReachedRows(session, dialect, write, reach)
      : null;
  const send = (): Promise<RawResult> => run(statements.change(write, before !== null));
  const sent = reached === null ? send() : reached.around(send);
  const { rows, affected } = await (before === null ? sent.catch(refusedUnseen) : sent);
  const [stored] = rows;
  return {
    version,
    before,
    ran: affected > 0,
    storedAs: !statements.returns || stored === undefined ? 'untold' : storedAs(key, stored),
    reached,
  };
}

/** The row must be the one that `If-Match` names, once it is locked. */
async function assertMatch(
  session: Session,
  statements: PgObservedStatements,
  { key, ifMatch, ifMatchTag }: RowWrite,
  read: (session: Session, key: Key) => Promise<VersionedRow>,
): Promise<void> {
  for (const sql of [LOCK_KEY, statements.lockRow])
    await session.run(sendSql(sql, keyBindings(key)));
  const { version, tag } = await read(session, key);
  if (version !== ifMatch || tag !== ifMatchTag || tag === GONE) throw notAdmitted();
}

/** Looks at the row when all has fired, and leaves the outbox rows. @throws StatementFailure, ChangeRefused */
export async function finishChange(
  session: Session,
  statements: PgObservedStatements,
  write: RowWrite,
  made: MadeChange,
): Promise<AppliedRow> {
  const { key, change } = write;
  const { rows } = await session.run(sendSql(statements.row, keyBindings(key)));
  const after = seenRow(key, rows[0]);
  const decision =
    write.byForeignKey === true ? 'applied' : judgeChange({ op: change.op, after, ...made });
  if (decision === 'key-changed') throw refused('key-changed', key);
  if (
    decision === 'cancelled' ||
    (decision === 'same' && !(await isShown(session, statements, write)))
  )
    throw refused('cancelled', key);
  const left = { ...keyBindings(key), row_xid: after?.changedBy ?? '0' };
  await session.run(sendSql(RECORD_ROW_XID, left));
  const row = after?.row ?? null;
  const related = {
    before: pickRelated(statements.related, made.before?.row ?? null),
    after: pickRelated(statements.related, row),
  };
  const reached = await made.reached?.note();
  return {
    ...(reached === undefined ? {} : { reached }),
    created: change.op === 'put' && made.before === null && row !== null,
    version: made.version,
    row,
    outboxId: write.outbox ? await note(session, statements, write, made.version, related) : null,
    related,
  };
}

/** Keeps the outcome of a single write. */
export async function rememberChange(
  session: Session,
  { key, fence, idempotency }: RowWrite,
  { created, version, row }: AppliedRow,
): Promise<void> {
  if (idempotency === undefined) return;
  const result = encodeApplied({ created, version, fence: fence ?? null, row });
  const outcome = { idempotency_key: idempotency.key, request_hash: idempotency.requestHash };
  await session.run(sendSql(REMEMBER, { ...keyBindings(key), ...outcome, result }));
}

/** Lets everything fire that waits for the commit: triggers, and constraints that may refuse. */
export async function fireDeferred(session: Session): Promise<void> {
  await session.run({ text: 'set constraints all immediate', values: [] });
}

async function isShown(
  session: Session,
  statements: PgObservedStatements,
  write: RowWrite,
): Promise<boolean> {
  const sql = statements.isShown(write);
  if (sql === null) return false;
  const { rows } = await session.run(sendSql(sql, writeBindings(write, statements.related)));
  return rows.length > 0;
}

async function note(
  session: Session,
  statements: PgObservedStatements,
  { key, secondDeleteAfterMs }: RowWrite,
  version: number,
  related: AppliedRow['related'],
): Promise<string> {
  const stored = statements.related.length === 0 ? null : jsonText(related);
  const bindings = { ...keyBindings(key), version, related: stored };
  const { rows } = await session.run(sendSql(ADD_OUTBOX_ROW, bindings));
  if (secondDeleteAfterMs !== undefined) {
    const again = { ...bindings, second_delete_after_ms: secondDeleteAfterMs };
    await session.run(sendSql(ADD_SECOND_DELETE, again));
  }
  const id = rows[0]?.[0] ?? null;
  if (id === null) throw new LockstepError('INTERNAL', 'An outbox row without its number.');
  return String(id);
}

/** The row that was not seen may be another writer's, which came in between. */
function refusedUnseen(error: unknown): never {
  const refusal = error instanceof StatementFailure ? refusalOf(pgRefusalCodes, error) : null;
  if (refusal === null) throw error;
  throw new ChangeRefused(refusal, { sawNoRow: true });
}

function seenRow(key: Key, values: RawResult['rows'][number] | undefined): SeenRow | null {
  if (values === undefined) return null;
  const [mark, changedBy] = values.map(String);
  const row = decodeRow(key.resource.columns, values, 2);
  return { mark: mark ?? '', changedBy: changedBy ?? '', row };
}

function storedAs(key: Key, values: RawResult['rows'][number]): 'asked' | 'other' {
  const { resource } = key;
  const stored = keyFromRow(resource, decodeRow(resource.keyColumns, values));
  return stored?.text === key.text ? 'asked' : 'other';
}

/** What ends the transaction of a write of a key that names no row. */
export const refusedAs = (tried: Attempt): Error =>
  tried.status === 'refused' ? new ChangeRefused(tried.refusal) : notAdmitted();

const refused = (reason: 'cancelled' | 'key-changed', { resource }: Key): ChangeRefused =>
  new ChangeRefused({ reason, constraint: resource.sideEffects?.triggers.join(', ') ?? '' });

const notAdmitted = (): StatementFailure =>
  new StatementFailure({ kind: 'refused', code: NOT_ADMITTED, cause: null });
