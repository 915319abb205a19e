/**
 * One write on MySQL and MariaDB.
 *
 *   begin, count up the version, lock and look at key and row -> change the row, read it back -> (what foreign keys
 *   changed) -> digest, fence, outbox rows, outcome, commit
 *
 * Each arrow is a round trip. If nothing but the row can change, the first two go together (`attemptAtOnce`): the server
 * stops at the first statement that fails, and what the look does not admit is rolled back.
 */
import { mayCascade, mayRewrite, type Key } from '../../../domain/index.ts';
import type { Session } from '../../../database/connections/connections.ts';
import { type RawResult, sendSql, type SentSql } from '../../../database/connections/driver.ts';
import { StatementFailure } from '../../../database/connections/statement-failure.ts';
import type { AppliedRow, RowWrite } from '../../../database/port.ts';
import { compileSql } from '../../../database/statements/sql-text.ts';
import {
  isCreated,
  type MadeChange,
  outboxIdOf,
  outboxSql,
  reachedBy,
  relatedOf,
  relatedText,
} from '../../../database/write/applied-row.ts';
import { assertVerified, type Attempt } from '../../../database/write/attempt.ts';
import type { Outcomes } from '../../../database/write/outcomes.ts';
import type { ReachDialect } from '../../../database/write/reached-rows.ts';
import {
  assertOwnRow,
  assertStored,
  DUPLICATE,
  type LeftRow,
  leftRow,
  lockedRowOf,
  lockSql,
  NO_ROW,
  rowBefore,
} from './locked-row.ts';
import { SQL } from './sql-texts.ts';
import { statementsOf } from './statements.ts';
import { mysqlKeyBindings } from './values.ts';
import { MYSQL } from '../spelling.ts';

const COUNT_UP_VERSION = compileSql(MYSQL, SQL.keys['count-up-version']);
const STORE_KEY = compileSql(MYSQL, SQL.keys['store-key']);
const OUTBOX = {
  addRow: compileSql(MYSQL, SQL.outbox['add-row']),
  addSecondDelete: compileSql(MYSQL, SQL.outbox['add-second-delete']),
};

type MadeMysqlChange = MadeChange & LeftRow;

interface Ends {
  /** The transaction is this write's alone: it is verified, and committed in the same round trip where it can be. */
  isLast?: boolean;
}

/** Whether nothing but the row can change, as far as is known. A trigger may do what no rollback takes back. */
export const isAlone = ({ key: { resource }, change, reach }: RowWrite): boolean =>
  !mayRewrite(resource) && (reach === undefined || !mayCascade(resource, change));

/** One try at a write, within the caller's transaction. If it throws, all of it is rolled back. */
export async function attemptMysqlWrite(
  session: Session,
  write: RowWrite,
  dialect: ReachDialect,
  outcomes: Outcomes,
  ends: Ends = {},
): Promise<Attempt> {
  const made = await makeMysqlChange(session, write, dialect);
  return applied(await finishMysqlChange(session, write, made, outcomes, ends));
}

/**
 * One try at a write, in a transaction of its own, in two round trips.
 * @throws StatementFailure, which says why the write is refused unless it `isUnclear`
 */
export async function attemptAtOnce(
  session: Session,
  write: RowWrite,
  outcomes: Outcomes,
): Promise<Attempt> {
  const made = await changeAtOnce(session, write);
  return applied(await finishMysqlChange(session, write, made, outcomes, { isLast: true }));
}

/**
 * Whether a failure of `attemptAtOnce` does not say why: an insert that found a row was sent before the look had said
 * that there is none, and a table that is missing may be missing in a trigger that the account may not see.
 */
export const isUnclear = ({ change }: RowWrite, error: unknown): boolean =>
  error instanceof StatementFailure &&
  (error.kind === 'broken' ||
    (error.code === DUPLICATE && change.op === 'put' && change.onlyCreate && error.table === null));

/** @throws StatementFailure, ChangeRefused */
export async function makeMysqlChange(
  session: Session,
  write: RowWrite,
  dialect: ReachDialect,
): Promise<MadeMysqlChange> {
  const { key } = write;
  const locked = lockedRowOf(write, (await session.runAll([countUpSql(key), lockSql(write)]))[1]);
  const { version } = locked;
  const before = rowBefore(write, locked);
  if (write.byForeignKey === true) return { version, before, ...NO_ROW, reached: null };
  assertOwnRow(write, before);

  const reached = reachedBy(session, dialect, write, before !== null);
  const apply = (): Promise<LeftRow> =>
    applyChange(session, write, before !== null).catch((error: unknown) => {
      throw withinTrigger(error);
    });
  const left = await (reached === null ? apply() : reached.around(apply));
  return { version, before, ...left, reached };
}

/** Changes the row before it is known whether that is admitted. @throws StatementFailure: all is to be rolled back */
async function changeAtOnce(session: Session, write: RowWrite): Promise<MadeMysqlChange> {
  const { key, change } = write;
  // Most rows that are put are there. One that is only to be created should not be.
  const isExpected = !(change.op === 'put' && change.onlyCreate);
  const [, looked, , read] = await session.runAll([
    countUpSql(key),
    lockSql(write),
    ...changeSql(write, isExpected),
  ]);
  const locked = lockedRowOf(write, looked);
  const before = rowBefore(write, locked);
  assertOwnRow(write, before);
  const isOther = isExpected !== (before !== null);
  const left = isOther ? await applyChange(session, write, before !== null) : leftBy(write, read);
  return { version: locked.version, before, ...left, reached: null };
}

export const countUpSql = (key: Key): SentSql => sendSql(COUNT_UP_VERSION, mysqlKeyBindings(key));

/** Changes the row; reads it back, unless it is deleted. */
export function changeSql(write: RowWrite, isThere: boolean): SentSql[] {
  const { key, change } = write;
  const changed = changeRowSql(write, isThere);
  if (change.op === 'delete') return [changed];
  return [changed, sendSql(statementsOf(key.resource).row, mysqlKeyBindings(key))];
}

/** @param isThere whether there is a row to change */
export function changeRowSql({ key, change }: RowWrite, isThere: boolean): SentSql {
  const statements = statementsOf(key.resource);
  return change.op === 'delete'
    ? sendSql(statements.delete, mysqlKeyBindings(key))
    : statements.change(key, change, isThere);
}

/** @throws StatementFailure, ChangeRefused */
export function leftBy({ key, change }: RowWrite, read: RawResult | undefined): LeftRow {
  if (change.op === 'delete') return NO_ROW;
  const left = leftRow(key, read?.rows[0]);
  assertStored(key, left);
  return left;
}

/** A row that another program inserts between the look and the insert is a lost race, and the try is done again. */
async function applyChange(session: Session, write: RowWrite, isThere: boolean): Promise<LeftRow> {
  const { key, change } = write;
  try {
    const [, read] = await session.runAll(changeSql(write, isThere));
    return leftBy(write, read);
  } catch (error) {
    const isInsert = change.op === 'put' && !isThere;
    if (!isInsert || !(error instanceof StatementFailure) || error.code !== DUPLICATE) throw error;
    const { lockRow } = statementsOf(key.resource);
    const { rows } = await session.run(sendSql(lockRow, mysqlKeyBindings(key)));
    if (rows[0] === undefined) throw error;
    throw error.as('rolled-back', { passing: true });
  }
}

/** Leaves the row's digest, the outbox rows, and the outcome of the write's idempotency key. */
export async function finishMysqlChange(
  session: Session,
  write: RowWrite,
  made: MadeMysqlChange,
  outcomes: Outcomes,
  { isLast = false }: Ends = {},
): Promise<AppliedRow> {
  const { key, fence = 0, idempotency } = write;
  const { version, before, after, digest } = made;
  const columns = statementsOf(key.resource).related;
  const related = relatedOf(columns, before, after);
  const kept = { created: isCreated(write, before, after), version, row: after };
  const reached = await made.reached?.addOutboxRows();
  const last = [
    ...outboxSql(OUTBOX, write, version, relatedText(columns, related)),
    sendSql(STORE_KEY, { ...mysqlKeyBindings(key), fence, row_digest: digest }),
    ...(idempotency === undefined ? [] : [outcomes.appliedSql(write, idempotency, kept)]),
  ];
  const commits = isLast && write.verify === undefined;
  const answers = await (commits ? session.commitWith(last) : session.runAll(last)).catch(
    (error: unknown) => {
      throw outcomes.asRepeated(error);
    },
  );
  if (isLast) await assertVerified(write);
  const outboxId = outboxIdOf(write, answers);
  return { ...kept, outboxId, related, ...(reached === undefined ? {} : { reached }) };
}

const applied = (row: AppliedRow): Attempt => ({ status: 'applied', ...row });

/**
 * The table was read in this transaction, which keeps its definition until it ends. A table or column that is missing
 * now is missing in a trigger or routine of the table, and what its author wrote is refused to the caller.
 */
function withinTrigger(error: unknown): unknown {
  const isMisfit = error instanceof StatementFailure && error.kind === 'broken';
  return isMisfit ? error.as('refused', { ground: 'rule' }) : error;
}

/** The row as it is stored, and as a read will answer it; null where the key has none. */
export async function readBack(session: Session, key: Key): Promise<LeftRow> {
  const { row } = statementsOf(key.resource);
  return leftRow(key, (await session.run(sendSql(row, mysqlKeyBindings(key)))).rows[0]);
}
