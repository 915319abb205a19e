/** Which columns of its rows a binlog event contains: a session may leave out columns that it considers known. */

/**
 * The binlog library makes each row an ordinary object, and assigning to `__proto__` would not add a member. So a
 * column of that name has this name there. No column's name can begin with NUL.
 */
const LOGGED_PROTO = '\0__proto__';

/** The name of a column in the binlog library's rows. */
export const loggedName = (name: string): string => (name === '__proto__' ? LOGGED_PROTO : name);

/** Makes the binlog library use `loggedName` for the following rows of this table. */
export function nameForLog(columns: { name: string }[]): void {
  for (const column of columns) column.name = loggedName(column.name);
}

/** Where the binlog library keeps the bitmaps that say which columns the rows contain. */
const PRESENT = { first: 'columns_present_bitmap', second: 'columns_present_bitmap2' } as const;

/**
 * The columns that the rows of the event contain; null if they contain all.
 * @param image `second`: the rows after an update
 */
export function columnsHeld(
  event: object,
  image: keyof typeof PRESENT,
  columns: readonly { name: string }[],
): ReadonlySet<string> | null {
  const bits: unknown = Reflect.get(event, PRESENT[image]);
  if (!Buffer.isBuffer(bits)) return null;
  const held = columns.filter((_, at) => ((bits[at >> 3] ?? 0) & (1 << (at & 7))) !== 0);
  return held.length === columns.length ? null : new Set(held.map(({ name }) => name));
}
