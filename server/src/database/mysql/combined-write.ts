/**
 * Many writes to different rows of one resource, in one transaction of three round trips.
 *
 *   begin, lock the policy, lock those keys and rows that are free -> count up all versions, change each row, read all
 *   rows back -> outbox rows, digests, fences and outcomes of all, commit
 *
 * Invariants
 *   - a lock of a key or row that another transaction holds is not waited for: that write is left over. Whatever else has
 *     to be waited for (a unique value, a parent row, a key that is being written for the first time) is waited for a
 *     second at most
 *   - a write is left over if its fence, `If-Match`, row or idempotency key does not admit it. Nothing of it has happened
 *   - each row is changed by the very statement that the write would send alone, and found by the same key
 *   - a version that is answered is the one that is stored, also of a key that another writer has added meanwhile
 *   - a version is counted up before its row is changed, by which the change log knows the change (C2)
 */
import { LockstepError, type Resource, rowsName } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { type RawResult, sendSql, type SentSql } from '../connections/driver.ts';
import { NOT_ADMITTED, StatementFailure } from '../connections/statement-failure.ts';
import type { AppliedRow, RowWrite } from '../port.ts';
import { compileSql } from '../statements/sql-text.ts';
import type { SqlValue } from '../statements/sql.ts';
import { isCreated, relatedOf, relatedText } from '../write/applied-row.ts';
import type { Attempt } from '../write/attempt.ts';
import type { Outcomes } from '../write/outcomes.ts';
import { type AdmittedWrite, lockFreeRows } from './free-rows.ts';
import { ListSql } from './list-sql.ts';
import { assertStored, type LeftRow, NO_ROW, storedRow } from './locked-row.ts';
import { SQL } from './sql-texts.ts';
import { statementsOf } from './statements.ts';
import { changeRowSql } from './write.ts';

const COUNT_UP_VERSIONS = new ListSql(
  SQL.keys['count-up-versions'],
  'keys',
  '(?, ?, 0, 1, now(6))',
);
const STORE_KEYS = new ListSql(SQL.keys['store-keys'], 'keys', '(?, ?, ?, 0, now(6), ?)');
const ADD_ROWS = new ListSql(SQL.outbox['add-rows'], 'rows', '(?, ?, ?, ?, now(6))');
const ADD_SECOND_DELETES = new ListSql(
  SQL.outbox['add-second-deletes'],
  'rows',
  '(?, ?, ?, ?, now(6), now(6) + interval ? * 1000 microsecond, now(6) + interval ? * 1000 microsecond)',
);
const LIST_ADDED_ROWS = compileSql('mysql2', SQL.outbox['list-added-rows']);
const RESTORE_LOCK_WAITS = sendSql(compileSql('mysql2', SQL.keys['restore-lock-waits']), {});

/** A write whose row is changed. */
interface MadeWrite extends AdmittedWrite {
  left: LeftRow;
  related: AppliedRow['related'];
}

/**
 * Tries at writes of one resource, within a transaction that it ends.
 * @param writes all of different keys
 * @returns in order; null where a write is left over
 */
export async function attemptTogether(
  session: Session,
  resource: Resource,
  writes: readonly RowWrite[],
  outcomes: Outcomes,
): Promise<(Attempt | null)[]> {
  try {
    // New keys are added in one order, so that no two batches wait crosswise for each other's.
    const sorted = [...writes].sort((one, other) => (one.key.rowText < other.key.rowText ? -1 : 1));
    const admitted = await lockFreeRows(session, resource, sorted);
    const made = await changeAll(session, resource, admitted);
    const applied = await finishAll(session, resource, made, outcomes);
    return writes.map((write) => {
      const row = applied.get(write);
      return row === undefined ? null : { status: 'applied', ...row };
    });
  } catch (error) {
    // On a session that has ended there is nothing to restore.
    await session.run(RESTORE_LOCK_WAITS).catch(() => undefined);
    throw error;
  }
}

/** @throws StatementFailure where one of the changes is refused */
async function changeAll(
  session: Session,
  resource: Resource,
  admitted: readonly AdmittedWrite[],
): Promise<MadeWrite[]> {
  if (admitted.length === 0) return [];
  const name = rowsName(resource);
  const kept = admitted.flatMap(({ write: { key, change } }) =>
    change.op === 'delete' ? [] : [key],
  );
  const answers = await session.runAll([
    sendList(COUNT_UP_VERSIONS, admitted, ({ write: { key } }) => [name, key.rowText]),
    ...admitted.map(({ write, before }) => changeRowSql(write, before !== null)),
    ...(kept.length === 0 ? [] : [statementsOf(resource).rows(kept)]),
  ]);
  assertCountedOnce(admitted, answers[0]);
  const read = kept.length === 0 ? [] : (answers.at(-1)?.rows ?? []);
  const rows = new Map(
    read.map((values) => {
      const row = storedRow(resource, values);
      return [row.keyText, row] as const;
    }),
  );
  return admitted.map((one) => {
    const { key, change } = one.write;
    const left = change.op === 'delete' ? NO_ROW : (rows.get(key.text) ?? NO_ROW);
    if (change.op !== 'delete') assertStored(key, left);
    const related = relatedOf(statementsOf(resource).related, one.before, left.after);
    return { ...one, left, related };
  });
}

/**
 * A new key is not locked until it is added: another writer may have added it since it was looked for, and its version is
 * then another one. The server counts a row that is added once, and one that was there twice.
 * @throws StatementFailure: the writes may pass alone
 */
function assertCountedOnce(admitted: readonly AdmittedWrite[], counted?: RawResult): void {
  const expected = admitted.reduce((sum, { isNewKey }) => sum + (isNewKey ? 1 : 2), 0);
  if (counted?.affected === expected) return;
  throw new StatementFailure({
    kind: 'rolled-back',
    code: NOT_ADMITTED,
    passing: true,
    cause: null,
  });
}

async function finishAll(
  session: Session,
  resource: Resource,
  made: readonly MadeWrite[],
  outcomes: Outcomes,
): Promise<Map<RowWrite, AppliedRow>> {
  const outbox = outboxSql(resource, made);
  const kept = made.map((one) => ({ one, outcome: outcomeOf(one) }));
  const answers = await session.commitWith([
    ...outbox,
    ...(made.length === 0 ? [] : [storeKeysSql(resource, made)]),
    ...kept.flatMap(({ one: { write }, outcome }) =>
      write.idempotency === undefined
        ? []
        : [outcomes.appliedSql(write, write.idempotency, outcome)],
    ),
    RESTORE_LOCK_WAITS,
  ]);
  const ids = outbox.length === 0 ? NO_IDS : addedIds(answers[1]);
  return new Map(
    kept.map(({ one: { write, version, related }, outcome }) => {
      const outboxId = write.outbox ? (ids.get(`${write.key.rowText} ${version}`) ?? null) : null;
      if (write.outbox && outboxId === null)
        throw new LockstepError('INTERNAL', 'An outbox row without its number.');
      return [write, { ...outcome, outboxId, related }];
    }),
  );
}

const outcomeOf = ({ write, version, before, left: { after } }: MadeWrite) => ({
  created: isCreated(write, before, after),
  version,
  row: after,
});

/** The second statement answers the ids that the first one has given. */
function outboxSql(resource: Resource, made: readonly MadeWrite[]): SentSql[] {
  const withOutbox = made.filter(({ write }) => write.outbox);
  if (withOutbox.length === 0) return [];
  const name = rowsName(resource);
  const columns = statementsOf(resource).related;
  const rowOf = ({ write: { key }, version, related }: MadeWrite): SqlValue[] => [
    name,
    key.rowText,
    version,
    relatedText(columns, related),
  ];
  const again = withOutbox.filter(({ write }) => write.secondDeleteAfterMs !== undefined);
  return [
    sendList(ADD_ROWS, withOutbox, rowOf),
    sendSql(LIST_ADDED_ROWS, { resource: name }),
    ...(again.length === 0
      ? []
      : [
          sendList(ADD_SECOND_DELETES, again, (one) => {
            const delayMs = Math.round(one.write.secondDeleteAfterMs ?? 0);
            return [...rowOf(one), delayMs, delayMs];
          }),
        ]),
  ];
}

function storeKeysSql(resource: Resource, made: readonly MadeWrite[]): SentSql {
  const name = rowsName(resource);
  return sendList(STORE_KEYS, made, ({ write: { key, fence = 0 }, left }) => [
    name,
    key.rowText,
    fence,
    left.digest,
  ]);
}

const sendList = <One>(
  sql: ListSql,
  list: readonly One[],
  valuesOf: (one: One) => SqlValue[],
): SentSql => sql.send(list.length, list.flatMap(valuesOf));

const NO_IDS: ReadonlyMap<string, string> = new Map();

/** The ids of outbox rows by key and version. */
const addedIds = (added: RawResult | undefined): ReadonlyMap<string, string> =>
  new Map(
    added?.rows.map(([id, key, version]) => [`${String(key)} ${String(version)}`, String(id)]),
  );
