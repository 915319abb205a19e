/**
 * Whether another program changed a row, by the numbers of transactions (docs/decisions/0022-row-tags.md). PostgreSQL
 * keeps in each row which transaction wrote it (`xmin`), so nothing has to be stored or computed for it.
 */
import { GONE, type Resource } from '../../../domain/index.ts';
import type { RawValue } from '../../../database/connections/driver.ts';

/** Numbers of transactions repeat after this many. */
const XIDS = 4_294_967_296n;

/** What a read answers of the row's last change. */
export interface LastChange {
  /** 0 where Lockstep has never written the key. */
  version: number;
  /** The transaction that wrote the row, where it is not the one of Lockstep's last write; `0` where there is no row. */
  changedBy: RawValue;
  /** A number above that of every transaction which has ended; only where the version is 0. */
  nextXid: RawValue;
}

/** The row's tag; undefined where it is as Lockstep left or found it. */
export function pgRowTag(
  { pristineBelow }: Resource,
  { version, changedBy, nextXid }: LastChange,
): string | undefined {
  if (changedBy === null) return undefined;
  const xid = BigInt(String(changedBy));
  if (xid === 0n) return version > 0 ? GONE : undefined;
  const isPristine =
    version === 0 &&
    nextXid !== null &&
    pristineBelow !== undefined &&
    isBelow(xid, BigInt(String(nextXid)), BigInt(pristineBelow));
  return isPristine ? undefined : xid.toString(36);
}

/** The transaction that a tag names; `0`, which wrote no row, where it names none. */
export function xidOfTag(tag: string): string {
  const xid = /^[0-9a-z]{1,7}$/.test(tag) ? parseInt(tag, 36) : 0;
  return xid < XIDS && xid.toString(36) === tag ? String(xid) : '0';
}

/**
 * Whether the transaction `xid`, of which the row keeps the low 32 bits, is below `bound`. The same as
 * `is-pristine`: a transaction too old to be compared counts as not below, and so does one that is still in flight.
 */
function isBelow(xid: bigint, nextXid: bigint, bound: bigint): boolean {
  const distance = (nextXid - xid) & (XIDS - 1n);
  return distance < XIDS / 2n && nextXid - distance < bound;
}
