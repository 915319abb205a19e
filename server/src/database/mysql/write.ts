import type { Row } from '@lockstep/shared';
import { GONE, isFencedOut, keyFromRow, type Key } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { sendSql } from '../connections/driver.ts';
import { notAdmitted, StatementFailure } from '../connections/statement-failure.ts';
import type { AppliedRow, RowWrite } from '../port.ts';
import { compileSql } from '../statements/sql-text.ts';
import type { SqlBindings } from '../statements/sql.ts';
import { decodeRow } from '../values/row-text.ts';
import { assertAdmitted, finishChange, type MadeChange, reachedBy } from '../write/applied-row.ts';
import { type Attempt, ChangeRefused } from '../write/attempt.ts';
import type { Outcomes } from '../write/outcomes.ts';
import type { ReachDialect } from '../write/reached-rows.ts';
import { digestOfRow, mysqlRowTag } from './row-tag.ts';
import { SQL } from './sql-texts.ts';
import { type MysqlStatements, statementsOf } from './statements.ts';
import { mysqlKeyBindings } from './values.ts';

const COUNT_UP_VERSION = compileSql('mysql2', SQL.keys['count-up-version']);
const ADD_KEY = compileSql('mysql2', SQL.keys['add-key']);
const STORE_KEY = compileSql('mysql2', SQL.keys['store-key']);
const OUTBOX = {
  addRow: compileSql('mysql2', SQL.outbox['add-row']),
  addSecondDelete: compileSql('mysql2', SQL.outbox['add-second-delete']),
};

/** Where things stand in the answer of `lock-key-and-row`. */
const DIGEST_AT = 2;
const PRESENT_AT = 3;
const HELD_AT = 4;
const ROW_AT = 5;

/** The row after a change; both null if there is no row. */
interface LeftRow {
  after: Row | null;
  digest: Buffer | null;
}

const NO_ROW: LeftRow = { after: null, digest: null };

type MadeMysqlChange = MadeChange & LeftRow;

/** One try at a write, within the caller's transaction. If it throws, all of it is rolled back. */
export async function attemptMysqlWrite(
  session: Session,
  write: RowWrite,
  dialect: ReachDialect,
  outcomes: Outcomes,
): Promise<Attempt> {
  const made = await makeMysqlChange(session, write, dialect);
  const applied = await finishMysqlChange(session, write, made);
  if (write.idempotency !== undefined)
    await outcomes.addApplied(session, write, write.idempotency, applied);
  return { status: 'applied', ...applied };
}

/** @throws StatementFailure, ChangeRefused */
export async function makeMysqlChange(
  session: Session,
  write: RowWrite,
  dialect: ReachDialect,
): Promise<MadeMysqlChange> {
  const { key, change, ifMatch, ifMatchTag, byForeignKey } = write;
  const { resource } = key;
  const statements = statementsOf(resource);
  const bindings = mysqlKeyBindings(key);
  await countUpVersion(session, bindings);
  const policy = { name: resource.name, epoch: resource.epoch ?? null };
  const [sql, columns] =
    ifMatch === undefined
      ? [statements.lockedKey, statements.checkedColumns]
      : [statements.lockedKeyWithRow, resource.columns];
  const [lockedKey = []] = (await session.run(sendSql(sql, { ...bindings, ...policy }))).rows;
  if (lockedKey[HELD_AT] === null) throw notAdmitted();
  const version = Number(lockedKey[0]);
  if (isFencedOut(write, Number(lockedKey[1]))) throw notAdmitted();
  const isThere = String(lockedKey[PRESENT_AT]) === '1';
  const before = isThere ? decodeRow(columns, lockedKey, ROW_AT) : null;
  if (ifMatch !== undefined) {
    const digest = isThere ? digestOfRow(resource, lockedKey, ROW_AT) : null;
    const tag = mysqlRowTag(version - 1, lockedKey[DIGEST_AT] ?? null, digest);
    if (version !== ifMatch + 1 || tag !== ifMatchTag || tag === GONE) throw notAdmitted();
  }
  if (byForeignKey === true) return { version, before, ...NO_ROW, reached: null };
  if (before !== null && keyFromRow(resource, before)?.text !== key.text) {
    throw change.op === 'put' ? keyTaken() : notAdmitted();
  }
  assertAdmitted(write, before !== null);

  const reached = reachedBy(session, dialect, write, before !== null);
  const apply = (): Promise<void> =>
    applyChange(session, statements, write, before !== null).catch((error: unknown) => {
      throw withinTrigger(error);
    });
  await (reached === null ? apply() : reached.around(apply));
  const left = change.op === 'delete' ? NO_ROW : await storedRow(session, key);
  return { version, before, ...left, reached };
}

/**
 * Nearly every key has been written before. An update of its row is cheaper than an insert that finds the row there.
 * @param bindings of `mysqlKeyBindings`
 */
async function countUpVersion(session: Session, bindings: SqlBindings): Promise<void> {
  const { affected } = await session.run(sendSql(COUNT_UP_VERSION, bindings));
  if (affected === 0) await session.run(sendSql(ADD_KEY, bindings));
}

/** Leaves the row's digest and the outbox rows. */
export async function finishMysqlChange(
  session: Session,
  write: RowWrite,
  made: MadeMysqlChange,
): Promise<AppliedRow> {
  const { key, fence = 0 } = write;
  const stored = { ...mysqlKeyBindings(key), fence, row_digest: made.digest };
  await session.run(sendSql(STORE_KEY, stored));
  return finishChange(session, OUTBOX, write, made, made.after, statementsOf(key.resource).related);
}

/**
 * The table was read in this transaction, which keeps its definition until it ends. A table or column that is missing
 * now is missing in a trigger or routine of the table, and what its author wrote is refused to the caller.
 */
function withinTrigger(error: unknown): unknown {
  const isMisfit = error instanceof StatementFailure && error.kind === 'broken';
  return isMisfit ? error.as('refused', { ground: 'rule' }) : error;
}

/** A row that another program inserts between the look and the insert is a lost race, and the try is done again. */
async function applyChange(
  session: Session,
  statements: MysqlStatements,
  { key, change }: RowWrite,
  isThere: boolean,
): Promise<void> {
  if (change.op === 'delete') {
    await session.run(sendSql(statements.delete, mysqlKeyBindings(key)));
    return;
  }
  try {
    await session.run(statements.change(key, change, isThere));
  } catch (error) {
    if (isThere || !(error instanceof StatementFailure) || error.code !== DUPLICATE) throw error;
    const { rows } = await session.run(sendSql(statements.lockRow, mysqlKeyBindings(key)));
    if (rows[0] === undefined) throw error;
    throw error.as('rolled-back', { passing: true });
  }
}

/** The row as it is stored, and as a read will answer it; null where the key has none. */
export async function readBack(session: Session, key: Key): Promise<LeftRow> {
  const { row } = statementsOf(key.resource);
  const [values] = (await session.run(sendSql(row, mysqlKeyBindings(key)))).rows;
  if (values === undefined) return NO_ROW;
  const after = decodeRow(key.resource.columns, values);
  if (keyFromRow(key.resource, after)?.text !== key.text) return NO_ROW;
  return { after, digest: digestOfRow(key.resource, values) };
}

/** A row that its column, or a trigger, stored under another key is refused. */
async function storedRow(session: Session, key: Key): Promise<LeftRow> {
  const left = await readBack(session, key);
  if (left.after !== null) return left;
  const triggers = key.resource.sideEffects?.triggers ?? [];
  if (triggers.length > 0)
    throw new ChangeRefused({ reason: 'key-changed', constraint: triggers.join(', ') });
  throw new StatementFailure({ kind: 'refused', ground: 'value', code: KEY_CHANGED, cause: null });
}

/** The table has a row that it takes for this key's and that is spelt otherwise: its collation says so. */
const keyTaken = (): StatementFailure =>
  new StatementFailure({ kind: 'refused', code: DUPLICATE, constraint: 'PRIMARY', cause: null });

const DUPLICATE = '1062';

/** An error number of our own: the row was stored under another key than the one that was given. */
const KEY_CHANGED = '0';
