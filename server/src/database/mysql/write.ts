import { jsonText, type Row } from '@lockstep/shared';
import { GONE, keyFromRow, mayCascade, type Key } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { type RawResult, sendSql } from '../connections/driver.ts';
import { rowKeyBindings, type MysqlStatements } from './statements.ts';
import { digestOfRow, mysqlRowTag } from './row-tag.ts';
import { encodeApplied } from '../write/outcome-record.ts';
import type { AppliedRow, RowWrite } from '../port.ts';
import { type ReachDialect, ReachedRows } from '../write/reached-rows.ts';
import { decodeRow } from '../values/row-text.ts';
import { SQL } from './sql-texts.ts';
import { compileSql } from '../statements/sql-text.ts';
import type { SqlBindings } from '../statements/sql.ts';
import { NOT_ADMITTED, StatementFailure } from '../connections/statement-failure.ts';
import { pickRelated } from '../values/stored-row.ts';
import { type Attempt, ChangeRefused } from '../write/write-flow.ts';

const COUNT_UP_VERSION = compileSql('mysql2', SQL.keys['count-up-version']);
const ADD_KEY = compileSql('mysql2', SQL.keys['add-key']);
const STORE_KEY = compileSql('mysql2', SQL.keys['store-key']);
const ADD_OUTBOX_ROW = compileSql('mysql2', SQL.outbox['add-row']);
const ADD_SECOND_DELETE = compileSql('mysql2', SQL.outbox['add-second-delete']);
const ADD_OUTCOME = compileSql('mysql2', SQL.outcomes.add);

/** Where things stand in the answer of `lock-key-and-row`. */
const DIGEST_AT = 2;
const PRESENT_AT = 3;
const HELD_AT = 4;
const ROW_AT = 5;
/** The row after a change. */
type LeftRow = Pick<MadeMysqlChange, 'after' | 'digest'>;

const NO_ROW: LeftRow = { after: null, digest: null };

/** One try at a write, within the caller's transaction. If it throws, all of it is rolled back. */
export async function attemptMysqlWrite(
  session: Session,
  statements: MysqlStatements,
  write: RowWrite,
  dialect: ReachDialect,
): Promise<Attempt> {
  const made = await makeMysqlChange(session, statements, write, dialect);
  const applied = await finishMysqlChange(session, statements, write, made);
  if (write.idempotency !== undefined) {
    const { key, fence = null, idempotency } = write;
    const { created, version, row } = applied;
    const result = encodeApplied({ created, version, fence, row });
    const outcome = { idempotency_key: idempotency.key, request_hash: idempotency.requestHash };
    await addMysqlOutcome(session, { ...rowKeyBindings(key), ...outcome, result });
  }
  return { status: 'applied', ...applied };
}

/** A change that is made. */
export interface MadeMysqlChange {
  version: number;
  /** The row before it: its key and the columns of `invalidates` at least; null where there was none. */
  before: Row | null;
  after: Row | null;
  /** The digest of the row after the change; null if there is no row. */
  digest: Buffer | null;
  /** Rows that foreign keys change with this one; null where none of them is looked for. */
  reached: ReachedRows | null;
}

/** @throws StatementFailure, ChangeRefused */
export async function makeMysqlChange(
  session: Session,
  statements: MysqlStatements,
  write: RowWrite,
  dialect: ReachDialect,
): Promise<MadeMysqlChange> {
  const { key, change, fence, heldFences, ifMatch, ifMatchTag, byForeignKey, reach } = write;
  const { resource } = key;
  const bindings = rowKeyBindings(key);
  await countUpVersion(session, bindings);
  const policy = { name: resource.name, epoch: resource.epoch ?? null };
  const [sql, columns] =
    ifMatch === undefined
      ? [statements.lockedKey, statements.checkedColumns]
      : [statements.lockedKeyWithRow, resource.columns];
  const [lockedKey = []] = (await session.run(sendSql(sql, { ...bindings, ...policy }))).rows;
  if (lockedKey[HELD_AT] === null) throw notAdmitted();
  const version = Number(lockedKey[0]);
  const storedFence = Number(lockedKey[1]);
  if (fence !== undefined && storedFence >= fence) throw notAdmitted();
  if (heldFences?.includes(storedFence) === false) throw notAdmitted();
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
  if (change.op === 'put' ? change.onlyCreate && before !== null : before === null)
    throw notAdmitted();

  const reached =
    reach !== undefined && before !== null && mayCascade(resource, change)
      ? new ReachedRows(session, dialect, write, reach)
      : null;
  const apply = (): Promise<void> =>
    applyChange(session, statements, write, before !== null).catch((error: unknown) => {
      throw withinTrigger(error);
    });
  await (reached === null ? apply() : reached.around(apply));
  const left = change.op === 'delete' ? NO_ROW : await storedRow(session, statements, write);
  return { version, before, ...left, reached };
}

/**
 * Nearly every key has been written before. An update of its row is cheaper than an insert that finds the row there.
 * @param bindings of `rowKeyBindings`
 */
async function countUpVersion(session: Session, bindings: SqlBindings): Promise<void> {
  const { affected } = await session.run(sendSql(COUNT_UP_VERSION, bindings));
  if (affected === 0) await session.run(sendSql(ADD_KEY, bindings));
}

/** Leaves the outbox rows. */
export async function finishMysqlChange(
  session: Session,
  statements: MysqlStatements,
  write: RowWrite,
  { version, before, after, digest, reached: found }: MadeMysqlChange,
): Promise<AppliedRow> {
  const stored = { ...rowKeyBindings(write.key), fence: write.fence ?? 0, row_digest: digest };
  await session.run(sendSql(STORE_KEY, stored));
  const related = {
    before: pickRelated(statements.related, before),
    after: pickRelated(statements.related, after),
  };
  const created = write.change.op === 'put' && before === null && after !== null;
  const outboxId = write.outbox
    ? await noteOutbox(session, statements, write, version, related)
    : null;
  const reached = await found?.note();
  const rest = reached === undefined ? {} : { reached };
  return { created, version, row: after, outboxId, related, ...rest };
}

async function applyChange(
  session: Session,
  statements: MysqlStatements,
  { key, change }: RowWrite,
  isThere: boolean,
): Promise<void> {
  if (change.op === 'put') await put(session, statements, key, change.set, isThere);
  else if (change.op === 'patch') await session.run(statements.patch(key, change));
  else await session.run(sendSql(statements.delete, rowKeyBindings(key)));
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
async function put(
  session: Session,
  statements: MysqlStatements,
  key: Key,
  set: Row,
  isThere: boolean,
): Promise<void> {
  try {
    await session.run(statements.put(key, set, isThere));
  } catch (error) {
    if (isThere || !(error instanceof StatementFailure) || error.code !== DUPLICATE) throw error;
    const { rows } = await session.run(sendSql(statements.lockRow, rowKeyBindings(key)));
    if (rows[0] === undefined) throw error;
    throw error.as('rolled-back', { passing: true });
  }
}

/** The row as it is stored, and as a read will answer it; null where the key has none. */
export async function readBack(
  session: Session,
  statements: MysqlStatements,
  key: Key,
): Promise<LeftRow> {
  const { rows } = await session.run(sendSql(statements.row, rowKeyBindings(key)));
  const [values] = rows;
  if (values === undefined) return NO_ROW;
  const after = decodeRow(key.resource.columns, values);
  if (keyFromRow(key.resource, after)?.text !== key.text) return NO_ROW;
  return { after, digest: digestOfRow(key.resource, values) };
}

/** A row that its column, or a trigger, stored under another key is refused. */
async function storedRow(
  session: Session,
  statements: MysqlStatements,
  { key }: RowWrite,
): Promise<LeftRow> {
  const left = await readBack(session, statements, key);
  if (left.after !== null) return left;
  const triggers = key.resource.sideEffects?.triggers ?? [];
  if (triggers.length === 0)
    throw new StatementFailure({
      kind: 'refused',
      ground: 'value',
      code: KEY_CHANGED,
      cause: null,
    });
  throw new ChangeRefused({ reason: 'key-changed', constraint: triggers.join(', ') });
}

async function noteOutbox(
  session: Session,
  statements: MysqlStatements,
  { key, secondDeleteAfterMs }: RowWrite,
  version: number,
  related: { before: Row | null; after: Row | null },
): Promise<string | null> {
  const stored = statements.related.length === 0 ? null : jsonText(related);
  const bindings = { resource: key.rows, key: key.rowText, version, related: stored };
  const { insertId } = await session.run(sendSql(ADD_OUTBOX_ROW, bindings));
  if (secondDeleteAfterMs !== undefined) {
    const again = { ...bindings, second_delete_after_ms: Math.round(secondDeleteAfterMs) };
    await session.run(sendSql(ADD_SECOND_DELETE, again));
  }
  return insertId;
}

/** Keeps an outcome. @throws StatementFailure `refused` on `lockstep_idempotency` where the key has one */
export async function addMysqlOutcome(
  session: Session,
  bindings: Parameters<typeof sendSql>[1],
): Promise<RawResult> {
  try {
    return await session.run(sendSql(ADD_OUTCOME, bindings));
  } catch (error) {
    if (!(error instanceof StatementFailure) || error.code !== DUPLICATE) throw error;
    throw error.as('refused', { table: 'lockstep_idempotency' });
  }
}

/** The table has a row that it takes for this key's and that is spelt otherwise: its collation says so. */
const keyTaken = (): StatementFailure =>
  new StatementFailure({ kind: 'refused', code: DUPLICATE, constraint: 'PRIMARY', cause: null });

const DUPLICATE = '1062';

/** An error number of our own: the row was stored under another key than the one that was given. */
const KEY_CHANGED = '0';

const notAdmitted = (): StatementFailure =>
  new StatementFailure({ kind: 'refused', code: NOT_ADMITTED, cause: null });
