/** What a write finds in its key's row of `lockstep_keys` and in its row, both locked; whether it is admitted by that. */
import type { Row } from '@lockstep/shared';
import {
  type Column,
  GONE,
  isFencedOut,
  keyFromRow,
  type Key,
  type Resource,
} from '../../../domain/index.ts';
import {
  type RawResult,
  type RawValue,
  sendSql,
  type SentSql,
} from '../../../database/connections/driver.ts';
import { notAdmitted, StatementFailure } from '../../../database/connections/statement-failure.ts';
import type { RowWrite } from '../../../database/port.ts';
import { decodeRow } from '../../../database/values/row-text.ts';
import { assertAdmitted } from '../../../database/write/applied-row.ts';
import { ChangeRefused } from '../../../database/write/attempt.ts';
import { digestOfRow, mysqlRowTag } from './row-tag.ts';
import { statementsOf } from './statements.ts';
import { mysqlKeyBindings } from './values.ts';

export interface LockedRow {
  /** The key's version, counted up. */
  version: number;
  fence: number;
  /** Of the row that Lockstep's last write left. */
  digest: RawValue;
  /** Of `columns`; null if there is no row. */
  values: readonly RawValue[] | null;
  /** The columns that were looked at: all of the resource's if the write has an `If-Match`. */
  columns: readonly Column[];
}

/** The row after a change; both null if there is no row. */
export interface LeftRow {
  after: Row | null;
  digest: Buffer | null;
}

export const NO_ROW: LeftRow = { after: null, digest: null };

/** Columns to look at before the row is changed. `If-Match` compares a digest of all. */
export const columnsToLookAt = (resource: Resource, hasIfMatch: boolean): readonly Column[] =>
  hasIfMatch ? resource.columns : statementsOf(resource).checkedColumns;

/** Where things stand in the answer of `lock-key-and-row`. */
const DIGEST_AT = 2;
const PRESENT_AT = 3;
const HELD_AT = 4;
const ROW_AT = 5;

/** Whether to look at all columns of the row. */
const isWholeFor = ({ ifMatch }: RowWrite): boolean => ifMatch !== undefined;

/** Locks the key's row and the row. */
export function lockSql(write: RowWrite, isWhole = isWholeFor(write)): SentSql {
  const { key } = write;
  const { resource } = key;
  const { lockedKey, lockedKeyWithRow } = statementsOf(resource);
  const policy = { name: resource.name, epoch: resource.epoch ?? null };
  const sql = isWhole ? lockedKeyWithRow : lockedKey;
  return sendSql(sql, { ...mysqlKeyBindings(key), ...policy });
}

/** From the answer to `lockSql`, with the same arguments. @throws StatementFailure where the policy is another one now */
export function lockedRowOf(
  write: RowWrite,
  answer: RawResult | undefined,
  isWhole = isWholeFor(write),
): LockedRow {
  const values = answer?.rows[0] ?? [];
  if (values[HELD_AT] === null || values[HELD_AT] === undefined) throw notAdmitted();
  return {
    version: Number(values[0]),
    fence: Number(values[1]),
    digest: values[DIGEST_AT] ?? null,
    values: String(values[PRESENT_AT]) === '1' ? values.slice(ROW_AT) : null,
    columns: columnsToLookAt(write.key.resource, isWhole),
  };
}

/** The row before the change. @throws StatementFailure where its fence or `If-Match` bars the write */
export function rowBefore(write: RowWrite, locked: LockedRow): Row | null {
  const { key, ifMatch, ifMatchTag } = write;
  const { version, fence, digest, values, columns } = locked;
  if (isFencedOut(write, fence)) throw notAdmitted();
  if (ifMatch !== undefined) {
    const present = values === null ? null : digestOfRow(key.resource, values);
    const tag = mysqlRowTag(version - 1, digest, present);
    if (version !== ifMatch + 1 || tag !== ifMatchTag || tag === GONE) throw notAdmitted();
  }
  return values === null ? null : decodeRow(columns, values);
}

/** @throws StatementFailure where there is another key's row in the way, or no row, or one too many */
export function assertOwnRow(write: RowWrite, before: Row | null): void {
  const { key, change } = write;
  if (before !== null && keyFromRow(key.resource, before)?.text !== key.text) {
    throw change.op === 'put' ? keyTaken() : notAdmitted();
  }
  assertAdmitted(write, before !== null);
}

/** A row as it is stored, from the values of its resource's columns, and as a read will answer it. */
export interface StoredRow {
  /** Null where no key can have it. */
  keyText: string | null;
  after: Row;
  digest: Buffer;
}

export function storedRow(resource: Resource, values: readonly RawValue[]): StoredRow {
  const after = decodeRow(resource.columns, values);
  const keyText = keyFromRow(resource, after)?.text ?? null;
  return { keyText, after, digest: digestOfRow(resource, values) };
}

/** The row that the key has, from the values of its resource's columns. */
export function leftRow({ text, resource }: Key, values: readonly RawValue[] | undefined): LeftRow {
  if (values === undefined) return NO_ROW;
  const { keyText, after, digest } = storedRow(resource, values);
  return keyText === text ? { after, digest } : NO_ROW;
}

/** A row that its column, or a trigger, stored under another key is refused. @throws StatementFailure, ChangeRefused */
export function assertStored({ resource }: Key, left: LeftRow): void {
  if (left.after !== null) return;
  const triggers = resource.sideEffects?.triggers ?? [];
  if (triggers.length > 0)
    throw new ChangeRefused({ reason: 'key-changed', constraint: triggers.join(', ') });
  throw new StatementFailure({ kind: 'refused', ground: 'value', code: KEY_CHANGED, cause: null });
}

/** The table has a row that it takes for this key's and that is spelt otherwise: its collation says so. */
const keyTaken = (): StatementFailure =>
  new StatementFailure({ kind: 'refused', code: DUPLICATE, constraint: 'PRIMARY', cause: null });

/** The error number of a row that a unique key does not take. */
export const DUPLICATE = '1062';

/** An error number of our own: the row was stored under another key than the one that was given. */
const KEY_CHANGED = '0';
