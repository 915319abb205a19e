/** The statements that a transaction of the caller's own runs, as each database takes them. */
import type { GuardedKey, Key, Placeholders, SqlStatement } from './types.ts';

/** The databases, as `database.client` of the coordinators' configuration names them. `mysql2`: MySQL and MariaDB. */
export type Dialect = 'pg' | 'mysql2';

/** A call of one of Lockstep's functions: its first arguments, and the parts of the key. */
const CALLS: Record<Dialect, (name: string, first: string[], parts: string[]) => string> = {
  pg: (name, first, parts) => `select ${name}(${[...first, ...parts].join(', ')})`,
  mysql2: (name, first, parts) =>
    `call ${name}(${first.join(', ')}, json_array(${parts.join(', ')}))`,
};

/**
 * The statement that calls `lockstep_invalidate`. Run it in the transaction that changes the rows: it commits and rolls
 * back with them (docs/own-transactions.md).
 * @param key the row's key; the first parts of a composite one: every row whose key begins with them; absent, or a list
 *   of no parts: the whole resource
 */
export function invalidateSql(
  dialect: Dialect,
  resource: string,
  key: Key = [],
  placeholders: Placeholders = '?',
): SqlStatement {
  const parts = typeof key === 'object' ? key.map(String) : [String(key)];
  return callSql(dialect, 'lockstep_invalidate', [resource], parts, placeholders);
}

/** The statement that calls `lockstep_guard` for a key. */
export function guardSql(
  dialect: Dialect,
  { resource, key, fence }: GuardedKey,
  placeholders: Placeholders,
): SqlStatement {
  const parts = typeof key === 'string' ? [key] : key;
  return callSql(dialect, 'lockstep_guard', [resource, fence], parts, placeholders);
}

function callSql(
  dialect: Dialect,
  name: string,
  first: readonly (string | number)[],
  parts: readonly string[],
  placeholders: Placeholders,
): SqlStatement {
  const values = [...first, ...parts];
  const marks = values.map((_, index) => (placeholders === '?' ? '?' : `$${index + 1}`));
  const text = CALLS[dialect](name, marks.slice(0, first.length), marks.slice(first.length));
  return [text, values];
}
