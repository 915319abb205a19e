/**
 * A write on a table with triggers or rules, step by step within a transaction: one statement would answer the row before
 * they are done with it.
 *
 *   count up the version -> look at the row, locked -> change it -> (all other writes) -> let fire what waits for the commit -> look again
 */
import { GONE, keyFromRow, mayCascade, type Key } from '../../../domain/index.ts';
import type { Budget, Connections, Session } from '../../../database/connections/connections.ts';
import { type RawResult, type RawValue, sendSql } from '../../../database/connections/driver.ts';
import { refusalOf } from '../../../database/connections/refusals.ts';
import { notAdmitted, StatementFailure } from '../../../database/connections/statement-failure.ts';
import type { AppliedRow, RowWrite } from '../../../database/port.ts';
import { memoized } from '../../../database/statements/memoized.ts';
import type { CompiledSql } from '../../../database/statements/sql-text.ts';
import { decodeRow } from '../../../database/values/row-text.ts';
import {
  assertAdmitted,
  finishChange,
  type MadeChange,
  reachedBy,
} from '../../../database/write/applied-row.ts';
import { assertVerified, type Attempt, ChangeRefused } from '../../../database/write/attempt.ts';
import type { Outcomes } from '../../../database/write/outcomes.ts';
import type { ReachDialect } from '../../../database/write/reached-rows.ts';
import { readRow } from '../../../database/write/row-dialect.ts';
import { pgRefusalCodes } from './failure.ts';
import { nameSql, type NamedSql } from './names.ts';
import { judgeChange, type ObservedChange, type SeenRow } from './observed-change.ts';
import { PgObservedStatements } from './observed-statements.ts';
import { isUnaddressable, pgReader } from './reader.ts';
import { SQL } from './sql-texts.ts';
import { pgKeyBindings } from './values.ts';
import { unaddressable, writeBindings } from './write-bindings.ts';

const RECORD_ROW_XID = nameSql(SQL.keys['record-row-xid']);
const LOCK_KEY = nameSql(SQL.keys['lock-key']);
const OUTBOX = {
  addRow: nameSql(SQL.outbox['add-row']),
  addSecondDelete: nameSql(SQL.outbox['add-second-delete']),
};

/** A change that is made, and not looked at yet. */
type Made = Pick<MadeChange, 'version' | 'reached'> &
  Pick<ObservedChange, 'before' | 'ran' | 'storedAs'>;

const statementsOf = memoized(
  (resource: Key['resource']): PgObservedStatements => new PgObservedStatements(resource),
);

/** Writes in steps, of which the last looks at what the database did. All reject with StatementFailure, ChangeRefused. */
export class PgObservedWriter {
  readonly #connections: Connections;
  readonly #outcomes: Outcomes;
  readonly #reach: ReachDialect;

  constructor(connections: Connections, outcomes: Outcomes, reach: ReachDialect) {
    this.#connections = connections;
    this.#outcomes = outcomes;
    this.#reach = reach;
  }

  /** One write in a transaction of its own, answered when all that the database does by itself is done. */
  attempt(write: RowWrite, budget: Budget): Promise<Attempt> {
    return this.#connections.transaction(async (session) => {
      const finish = await this.make(session, write);
      await fireDeferred(session);
      const applied = await finish();
      if (write.idempotency !== undefined)
        await this.#outcomes.addApplied(session, write, write.idempotency, applied);
      await assertVerified(write);
      return { status: 'applied', ...applied };
    }, budget);
  }

  /** Makes a change. What it resolves to looks at the row when all has fired, and leaves the outbox rows. */
  async make(session: Session, write: RowWrite): Promise<() => Promise<AppliedRow>> {
    if (isUnaddressable(write.key)) throw refusedAs(unaddressable(write));
    const statements = statementsOf(write.key.resource);
    const made = await this.#change(session, statements, write);
    return () => finish(session, statements, write, made);
  }

  async #change(
    session: Session,
    statements: PgObservedStatements,
    write: RowWrite,
  ): Promise<Made> {
    const { key, change, ifMatch, byForeignKey } = write;
    if (ifMatch !== undefined) await assertMatch(session, statements.lockRow, write);
    const bindings = writeBindings(write, statements.related);
    const run = (sql: NamedSql): Promise<RawResult> => session.run(sendSql(sql, bindings));
    const [counted] = (await run(statements.countUpVersion(write))).rows;
    if (counted === undefined) throw notAdmitted();
    const version = Number(counted[0]);
    if (ifMatch !== undefined && version !== ifMatch + 1) throw notAdmitted();
    const isParent = byForeignKey !== true && mayCascade(key.resource, change);
    const before = seenRow(
      key,
      (await run(isParent ? statements.lockParent : statements.lockRow)).rows[0],
    );
    if (byForeignKey === true)
      return { version, before, ran: true, storedAs: 'asked', reached: null };
    assertAdmitted(write, before !== null);
    const reached = reachedBy(session, this.#reach, write, before !== null);
    const send = (): Promise<RawResult> => run(statements.change(write, before !== null));
    const sent = reached === null ? send() : reached.around(send);
    const { rows, affected } = await (before === null ? sent.catch(refusedUnseen) : sent);
    const [stored] = rows;
    const isTold = statements.returns && stored !== undefined;
    const storedAs = isTold ? keyStored(key, stored) : 'untold';
    return { version, before, ran: affected > 0, storedAs, reached };
  }
}

/** The row must be the one that `If-Match` names, once it is locked. */
async function assertMatch(
  session: Session,
  lockRow: CompiledSql,
  { key, ifMatch, ifMatchTag }: RowWrite,
): Promise<void> {
  for (const sql of [LOCK_KEY, lockRow]) await session.run(sendSql(sql, pgKeyBindings(key)));
  const { version, tag } = await readRow(pgReader, session, key);
  if (version !== ifMatch || tag !== ifMatchTag || tag === GONE) throw notAdmitted();
}

async function finish(
  session: Session,
  statements: PgObservedStatements,
  write: RowWrite,
  made: Made,
): Promise<AppliedRow> {
  const { key, change } = write;
  const { rows } = await session.run(sendSql(statements.row, pgKeyBindings(key)));
  const after = seenRow(key, rows[0]);
  const decision =
    write.byForeignKey === true ? 'applied' : judgeChange({ op: change.op, after, ...made });
  if (decision === 'key-changed') throw refused('key-changed', key);
  if (
    decision === 'cancelled' ||
    (decision === 'same' && !(await isShown(session, statements, write)))
  )
    throw refused('cancelled', key);
  const left = { ...pgKeyBindings(key), row_xid: after?.changedBy ?? '0' };
  await session.run(sendSql(RECORD_ROW_XID, left));
  const changed = { ...made, before: made.before?.row ?? null };
  return finishChange(session, OUTBOX, write, changed, after?.row ?? null, statements.related);
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

/** The row that was not seen may be another writer's, which came in between. */
function refusedUnseen(error: unknown): never {
  const refusal = error instanceof StatementFailure ? refusalOf(pgRefusalCodes, error) : null;
  if (refusal === null) throw error;
  throw new ChangeRefused(refusal, { sawNoRow: true });
}

function seenRow(key: Key, values: readonly RawValue[] | undefined): SeenRow | null {
  if (values === undefined) return null;
  const [mark = '', changedBy = ''] = values.slice(0, 2).map(String);
  return { mark, changedBy, row: decodeRow(key.resource.columns, values, 2) };
}

function keyStored({ resource, text }: Key, values: readonly RawValue[]): 'asked' | 'other' {
  const stored = keyFromRow(resource, decodeRow(resource.keyColumns, values));
  return stored?.text === text ? 'asked' : 'other';
}

/** What ends the transaction of a write of a key that names no row. */
const refusedAs = (tried: Attempt): Error =>
  tried.status === 'refused' ? new ChangeRefused(tried.refusal) : notAdmitted();

const refused = (reason: 'cancelled' | 'key-changed', { resource }: Key): ChangeRefused =>
  new ChangeRefused({ reason, constraint: resource.sideEffects?.triggers.join(', ') ?? '' });
