/** Which columns of its rows a binlog event contains: a session may leave out columns that it considers known. */

/**
 * The reader of the binlog puts values into ordinary objects by the columns' names, and a value for `__proto__` would be
 * no member of them. A column of that name goes by this one there; no name of a column can begin with NUL.
 */
const LOGGED_PROTO = '\0__proto__';

/** The name of a column in the rows that the reader of the binlog makes. */
export const loggedName = (name: string): string => (name === '__proto__' ? LOGGED_PROTO : name);

/** Has the reader of the binlog make rows by `loggedName`, from the next rows of this table on. */
export function nameForLog(columns: { name: string }[]): void {
  for (const column of columns) column.name = loggedName(column.name);
}

/** Where the reader of the binlog keeps, a bit for each column, what the rows hold. */
const PRESENT = { first: 'columns_present_bitmap', second: 'columns_present_bitmap2' } as const;

/**
 * The columns that the rows of the event hold; null where they hold all.
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
