/** The end of a transaction of several writes: their outbox rows, digests, fences and outcomes, and the commit. */
import { LockstepError, type Resource, rowsName } from '../../../domain/index.ts';
import type { Session } from '../../../database/connections/connections.ts';
import { type RawResult, sendSql, type SentSql } from '../../../database/connections/driver.ts';
import { NOT_ADMITTED, StatementFailure } from '../../../database/connections/statement-failure.ts';
import type { AppliedRow, RowWrite } from '../../../database/port.ts';
import type { Row } from '@lockstep/shared';
import { compileSql } from '../../../database/statements/sql-text.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';
import { isCreated, relatedText } from '../../../database/write/applied-row.ts';
import type { Outcomes } from '../../../database/write/outcomes.ts';
import { ListSql } from './list-sql.ts';
import type { LeftRow } from './locked-row.ts';
import { SQL } from './sql-texts.ts';
import { statementsOf } from './statements.ts';
import { MYSQL } from '../spelling.ts';

const STORE_KEYS = new ListSql(SQL.keys['store-keys'], 'keys', '(?, ?, ?, 0, now(6), ?)');
const ADD_ROWS = new ListSql(SQL.outbox['add-rows'], 'rows', '(?, ?, ?, ?, now(6))');
const ADD_SECOND_DELETES = new ListSql(
  SQL.outbox['add-second-deletes'],
  'rows',
  '(?, ?, ?, ?, now(6), now(6) + interval ? * 1000 microsecond, now(6) + interval ? * 1000 microsecond)',
);
const LIST_ADDED_ROWS = compileSql(MYSQL, SQL.outbox['list-added-rows']);
const ADD_OUTCOMES = new ListSql(
  SQL.outcomes['add-several'],
  'outcomes',
  '(?, ?, ?, ?, ?, now(6))',
);

/** A write whose row is changed. */
export interface MadeWrite {
  write: RowWrite;
  version: number;
  before: Row | null;
  left: LeftRow;
  related: AppliedRow['related'];
}

/** Takes a transaction back whose writes may each pass alone. */
export const mayPassAlone = (): StatementFailure =>
  new StatementFailure({ kind: 'rolled-back', code: NOT_ADMITTED, passing: true, cause: null });

/**
 * @param made writes of one resource, those of one key in their order
 * @param last statements before the commit
 * @returns in order
 * @throws StatementFailure
 */
export async function finishWrites(
  session: Session,
  resource: Resource,
  made: readonly MadeWrite[],
  outcomes: Outcomes,
  last: readonly SentSql[] = [],
): Promise<AppliedRow[]> {
  const outbox = outboxSql(resource, made);
  const kept = made.map((one) => ({ one, outcome: outcomeOf(one) }));
  const repeatable = kept.flatMap(({ one: { write }, outcome }) =>
    write.idempotency === undefined
      ? []
      : [outcomes.appliedValues(write, write.idempotency, outcome)],
  );
  const answers = await session.commitWith([
    ...outbox,
    ...(made.length === 0 ? [] : [storeKeysSql(resource, made)]),
    ...(repeatable.length === 0 ? [] : [ADD_OUTCOMES.sendEach(repeatable, (values) => values)]),
    ...last,
  ]);
  const ids = outbox.length === 0 ? NO_IDS : addedIds(answers[1]);
  return kept.map(({ one: { write, version, related }, outcome }) => {
    const outboxId = write.outbox ? (ids.get(`${write.key.rowText} ${version}`) ?? null) : null;
    if (write.outbox && outboxId === null)
      throw new LockstepError('INTERNAL', 'An outbox row without its number.');
    return { ...outcome, outboxId, related };
  });
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
    ADD_ROWS.sendEach(withOutbox, rowOf),
    sendSql(LIST_ADDED_ROWS, { resource: name }),
    ...(again.length === 0
      ? []
      : [
          ADD_SECOND_DELETES.sendEach(again, (one) => {
            const delayMs = Math.round(one.write.secondDeleteAfterMs ?? 0);
            return [...rowOf(one), delayMs, delayMs];
          }),
        ]),
  ];
}

/** Of several writes of a key the highest fence and the last digest. */
function storeKeysSql(resource: Resource, made: readonly MadeWrite[]): SentSql {
  const name = rowsName(resource);
  const keys = new Map<string, { fence: number; digest: Buffer | null }>();
  for (const { write, left } of made) {
    const { key, fence = 0 } = write;
    const before = keys.get(key.rowText)?.fence ?? 0;
    keys.set(key.rowText, { fence: Math.max(before, fence), digest: left.digest });
  }
  return STORE_KEYS.sendEach([...keys], ([key, { fence, digest }]) => [name, key, fence, digest]);
}

const NO_IDS: ReadonlyMap<string, string> = new Map();

/** The ids of outbox rows by key and version. */
const addedIds = (added: RawResult | undefined): ReadonlyMap<string, string> =>
  new Map(
    added?.rows.map(([id, key, version]) => [`${String(key)} ${String(version)}`, String(id)]),
  );
