/**
 * Positions in a database's log of commits, as entries, tokens and replicas name them.
 *
 * The form is `RANK` or `RANK@DETAIL`. The rank is a whole number that only grows along one primary's log: the byte of
 * the write-ahead log on PostgreSQL, the number of transactions on MySQL and MariaDB. Of two positions that were taken
 * from one primary, the one of the higher rank is the later one and covers the other, so that a cache script can tell
 * them apart without knowing the database. Whether a replica has reached a position is its database's own question, and
 * goes by the detail (a set of GTIDs).
 */

/** `RANK` or `RANK@DETAIL`. */
export type LogPosition = string;

/** Stands for a position that could not be learnt: only the primary is sure to have reached it. */
export const UNKNOWN_POSITION = '*';

/** Longer ones (a MySQL history of very many servers) count as unknown. */
const MAX_LENGTH = 1_024;
const FORM = /^(?:0|[1-9]\d{0,19})(?:@[0-9A-Za-z:,_-]+)?$/;

export const isLogPosition = (text: string): boolean =>
  text.length <= MAX_LENGTH && FORM.test(text);

/** A position of this rank; null where it would be too long to be carried around. */
export function logPosition(rank: bigint, detail?: string): LogPosition | null {
  const position = detail === undefined ? String(rank) : `${rank}@${detail}`;
  return isLogPosition(position) ? position : null;
}

export const rankOf = (position: LogPosition): bigint =>
  BigInt(position.slice(0, positionEnd(position)));

export const detailOf = (position: LogPosition): string =>
  position.slice(positionEnd(position) + 1);

/** Whether `position` covers everything that `other` does, where both were taken from one primary. */
export const covers = (position: LogPosition, other: LogPosition): boolean =>
  position !== UNKNOWN_POSITION && other !== UNKNOWN_POSITION && rankOf(position) >= rankOf(other);

/** The later one; an unknown one may be later than any. */
export function laterPosition(
  one: LogPosition | null,
  other: LogPosition | null,
): LogPosition | null {
  if (one === null || other === null) return one ?? other;
  if (one === UNKNOWN_POSITION || other === UNKNOWN_POSITION) return UNKNOWN_POSITION;
  return covers(one, other) ? one : other;
}

/**
 * What a read of the primary has surely reached that began after `position` was taken: a commit stands in the log a
 * moment before readers see it, so of commits at the very position it may lack one. Any later position was taken later.
 */
export const justBefore = (position: LogPosition): LogPosition =>
  String(rankOf(position) > 0n ? rankOf(position) - 1n : 0n);

function positionEnd(position: LogPosition): number {
  const at = position.indexOf('@');
  return at < 0 ? position.length : at;
}
