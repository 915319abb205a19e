/**
 * Positions in a database's log of commits, as entries, tokens and replicas use them.
 *
 * The form is `RANK` or `RANK@DETAIL`. The rank is a whole number that only grows along one primary's log: the byte of
 * the write-ahead log on PostgreSQL, the number of transactions on MySQL and MariaDB. Of two positions of one primary,
 * the one with the higher rank is later and covers the other, so a cache script can compare them without knowing the
 * database. Whether a replica has reached a position depends on the database and on the detail (such as a set of
 * GTIDs).
 */

/** `RANK` or `RANK@DETAIL`. */
export type LogPosition = string;

/** Stands for an unknown position: only the primary is sure to have reached it. */
export const UNKNOWN_POSITION = '*';

/** The longest position. Longer ones (a MySQL history with very many servers) count as unknown. */
const MAX_LENGTH = 1_024;
const FORM = /^(?:0|[1-9]\d{0,19})(?:@[0-9A-Za-z:,_-]+)?$/;

export const isLogPosition = (text: string): boolean =>
  text.length <= MAX_LENGTH && FORM.test(text);

/** A position of this rank; null if it would be too long. */
export function logPosition(rank: bigint, detail?: string): LogPosition | null {
  const position = detail === undefined ? String(rank) : `${rank}@${detail}`;
  return isLogPosition(position) ? position : null;
}

export const rankOf = (position: LogPosition): bigint =>
  BigInt(position.slice(0, positionEnd(position)));

export const detailOf = (position: LogPosition): string =>
  position.slice(positionEnd(position) + 1);

/** Whether `position` covers everything that `other` covers. Both must come from the same primary. */
export const covers = (position: LogPosition, other: LogPosition): boolean =>
  position !== UNKNOWN_POSITION && other !== UNKNOWN_POSITION && rankOf(position) >= rankOf(other);

/** The later of the two. An unknown position counts as later than any other. */
export function laterPosition(
  one: LogPosition | null,
  other: LogPosition | null,
): LogPosition | null {
  if (one === null || other === null) return one ?? other;
  if (one === UNKNOWN_POSITION || other === UNKNOWN_POSITION) return UNKNOWN_POSITION;
  return covers(one, other) ? one : other;
}

/**
 * The position that a read of the primary has surely reached if it began after `position` was taken. A commit is in the
 * log a moment before readers see it, so the read may lack a commit at exactly that position.
 */
export const justBefore = (position: LogPosition): LogPosition =>
  String(rankOf(position) > 0n ? rankOf(position) - 1n : 0n);

function positionEnd(position: LogPosition): number {
  const at = position.indexOf('@');
  return at < 0 ? position.length : at;
}
