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
import { type Resource, rowsName } from '../../../domain/index.ts';
import type { Session } from '../../../database/connections/connections.ts';
import { type RawResult, sendSql } from '../../../database/connections/driver.ts';
import type { RowWrite } from '../../../database/port.ts';
import { compileSql } from '../../../database/statements/sql-text.ts';
import { relatedOf } from '../../../database/write/applied-row.ts';
import type { Attempt } from '../../../database/write/attempt.ts';
import type { Outcomes } from '../../../database/write/outcomes.ts';
import { finishWrites, type MadeWrite, mayPassAlone } from './finish-writes.ts';
import { type AdmittedWrite, lockFreeRows } from './free-rows.ts';
import { ListSql } from './list-sql.ts';
import { assertStored, NO_ROW, storedRow } from './locked-row.ts';
import { SQL } from './sql-texts.ts';
import { statementsOf } from './statements.ts';
import { changeRowSql } from './write.ts';
import { MYSQL } from '../spelling.ts';

const COUNT_UP_VERSIONS = new ListSql(
  SQL.keys['count-up-versions'],
  'keys',
  '(?, ?, 0, 1, now(6))',
);
const RESTORE_LOCK_WAITS = sendSql(compileSql(MYSQL, SQL.keys['restore-lock-waits']), {});

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
    const applied = await finishWrites(session, resource, made, outcomes, [RESTORE_LOCK_WAITS]);
    const places = new Map(made.map(({ write }, place) => [write, place]));
    return writes.map((write) => {
      const row = applied[places.get(write) ?? -1];
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
    COUNT_UP_VERSIONS.sendEach(admitted, ({ write: { key } }) => [name, key.rowText]),
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
  throw mayPassAlone();
}
