/** Which writes of a batch can go through at once: their keys and rows are free, and admit them. */
import type { Row } from '@lockstep/shared';
import { type Column, keyFromRow, type Resource, rowsName } from '../../../domain/index.ts';
import type { Session } from '../../../database/connections/connections.ts';
import {
  type RawResult,
  type RawValue,
  sendSql,
  type SentSql,
} from '../../../database/connections/driver.ts';
import {
  isNotAdmitted,
  StatementFailure,
} from '../../../database/connections/statement-failure.ts';
import type { RowWrite } from '../../../database/port.ts';
import { compileSql } from '../../../database/statements/sql-text.ts';
import { decodeRow } from '../../../database/values/row-text.ts';
import { assertOwnRow, columnsToLookAt, type LockedRow, rowBefore } from './locked-row.ts';
import { SQL } from './sql-texts.ts';
import { statementsOf } from './statements.ts';
import { MYSQL } from '../spelling.ts';

const compile = (sql: string) => compileSql(MYSQL, sql);

const BOUND_LOCK_WAITS = sendSql(compile(SQL.keys['bound-lock-waits']), {});
const LOCK_POLICY = compile(SQL.keys['lock-policy']);
const LOCK_FREE_KEYS = compile(SQL.keys['lock-free-keys']);
const LIST_KNOWN_KEYS = compile(SQL.keys['list-known-keys']);
const LIST_PRESENT = compile(SQL.outcomes['list-present']);

/** A write whose key and row are locked, and admit it. */
export interface AdmittedWrite {
  write: RowWrite;
  /** Counted up. */
  version: number;
  /** The key had no version, and is to be added with its first one. */
  isNewKey: boolean;
  /** Null if the write is to make the row. */
  before: Row | null;
}

type ByKey = ReadonlyMap<string, readonly RawValue[]>;

/** What the locks have found. */
interface Found {
  /** Version, fence and digest of the keys that are locked, by their texts. */
  keys: ByKey;
  /** The rows that are locked, by their keys' texts. */
  rows: ByKey;
  /** Keys that were never written. */
  newKeys: ReadonlySet<string>;
  /** Keys of rows that are there and may be locked by others. */
  takenRows: ReadonlySet<string>;
}

/**
 * Locks what is free of the writes' keys and rows, within a transaction. Writes that are not answered are left over.
 * @param writes of one resource, all of different keys
 */
export async function lockFreeRows(
  session: Session,
  resource: Resource,
  writes: readonly RowWrite[],
): Promise<AdmittedWrite[]> {
  const keys = writes.map(({ key }) => key);
  const hasIfMatch = writes.some(({ ifMatch }) => ifMatch !== undefined);
  const columns = columnsToLookAt(resource, hasIfMatch);
  const outcomeKeys = writes.flatMap(({ idempotency }) => idempotency?.key ?? []);
  const [, policy, lockedKeys, lockedRows, present] = await session.runAll([
    BOUND_LOCK_WAITS,
    policySql(resource),
    sendSql(LOCK_FREE_KEYS, { resource: rowsName(resource), keys: keys.map((key) => key.rowText) }),
    statementsOf(resource).lockFreeRows(keys, hasIfMatch),
    ...(outcomeKeys.length === 0 ? [] : [sendSql(LIST_PRESENT, { keys: outcomeKeys })]),
  ]);
  if (policy?.rows.length === 0) return [];
  const locked = {
    keys: new Map(lockedKeys?.rows.map(([key = null, ...rest]) => [String(key), rest])),
    rows: byKey(resource, columns, lockedRows),
  };
  const found = { ...locked, ...(await lookForMissing(session, resource, writes, locked)) };
  const repeated = new Set(present?.rows.map(([key]) => String(key)));
  return writes.flatMap((write) => {
    if (write.idempotency !== undefined && repeated.has(write.idempotency.key)) return [];
    return admitted(write, columns, found) ?? [];
  });
}

const policySql = ({ name, epoch }: Resource): SentSql =>
  epoch === undefined ? NO_POLICY : sendSql(LOCK_POLICY, { name, epoch });

const NO_POLICY: SentSql = { text: 'select 1', values: [] };

/** What was not locked is locked by another transaction, or is not there. */
async function lookForMissing(
  session: Session,
  resource: Resource,
  writes: readonly RowWrite[],
  locked: Pick<Found, 'keys' | 'rows'>,
): Promise<Pick<Found, 'newKeys' | 'takenRows'>> {
  const keys = writes.flatMap(({ key }) => (locked.keys.has(key.rowText) ? [] : [key.rowText]));
  const puts = writes.filter(
    ({ key, change }) => change.op === 'put' && !locked.rows.has(key.text),
  );
  const [known, rows] = await session.runAll([
    ...(keys.length === 0 && puts.length === 0
      ? []
      : [sendSql(LIST_KNOWN_KEYS, { resource: rowsName(resource), keys: ['', ...keys] })]),
    ...(puts.length === 0 ? [] : [statementsOf(resource).checkedRows(puts.map(({ key }) => key))]),
  ]);
  const isKnown = new Set(known?.rows.map(([key]) => String(key)));
  return {
    newKeys: new Set(keys.filter((key) => !isKnown.has(key))),
    takenRows: new Set(byKey(resource, statementsOf(resource).checkedColumns, rows).keys()),
  };
}

/** Null if the write is left over. */
function admitted(
  write: RowWrite,
  columns: readonly Column[],
  { keys, rows, newKeys, takenRows }: Found,
): AdmittedWrite | null {
  const { key, change } = write;
  const values = rows.get(key.text) ?? null;
  if (values === null && (change.op !== 'put' || takenRows.has(key.text))) return null;
  const isNewKey = newKeys.has(key.rowText);
  const stored = isNewKey ? NEW_KEY : keys.get(key.rowText);
  if (stored === undefined) return null;
  const [version, fence, digest = null] = stored;
  const locked: LockedRow = {
    version: Number(version) + 1,
    fence: Number(fence),
    digest,
    values,
    columns,
  };
  try {
    const before = rowBefore(write, locked);
    assertOwnRow(write, before);
    return { write, version: locked.version, isNewKey, before };
  } catch (error) {
    if (error instanceof StatementFailure && isNotAdmitted(error)) return null;
    throw error;
  }
}

const NEW_KEY: readonly RawValue[] = ['0', '0', null];

/** A row that the column's collation takes for a key's, and that is another one's, is not found by the key. */
function byKey(
  resource: Resource,
  columns: readonly Column[],
  result: RawResult | undefined,
): Map<string, readonly RawValue[]> {
  const rows = new Map<string, readonly RawValue[]>();
  for (const values of result?.rows ?? []) {
    const key = keyFromRow(resource, decodeRow(columns, values));
    if (key !== null) rows.set(key.text, values);
  }
  return rows;
}
