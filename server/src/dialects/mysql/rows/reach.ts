import { type RawValue, sendSql } from '../../../database/connections/driver.ts';
import { statementsOf } from './statements.ts';
import { mysqlKeyBindings } from './values.ts';
import type { ReachDialect } from '../../../database/write/reached-rows.ts';
import { SQL } from './sql-texts.ts';
import { compileSql, quoteName, renderSql } from '../../../database/statements/sql-text.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';
import { MYSQL } from '../spelling.ts';

const ADD_CACHE_KEYS = compileSql(MYSQL, SQL.outbox['add-cache-keys']);
const quote = (name: string): string => `r.${quoteName(MYSQL, name)}`;

/** How MySQL and MariaDB find the rows that foreign keys change. */
export function mysqlReach(rows: ReachDialect['rows']): ReachDialect {
  return {
    ownSql(key, columns) {
      const { table, isKey } = statementsOf(key.resource);
      const fragments = { table, isKey, columns: columns.map(quote).join(', ') };
      const sql = compileSql(MYSQL, renderSql(SQL.rows['read-row'], fragments));
      return sendSql(sql, mysqlKeyBindings(key));
    },

    childrenSql({ childTable, columns }, parents, wanted, limit) {
      const bindings: Record<string, SqlValue> = { limit };
      const tuples = parents.map((values, row) => {
        const places = columns.map(({ type }, index) => {
          bindings[`parent_${row}_${index}`] = bound(type, values[index] ?? null);
          return `:parent_${row}_${index}`;
        });
        return places.length === 1 ? places.join('') : `(${places.join(', ')})`;
      });
      const names = columns.map(({ child }) => quote(child));
      const named = names.length === 1 ? names.join('') : `(${names.join(', ')})`;
      const list = [...wanted.raw.map(quote), ...wanted.columns.map(({ name }) => quote(name))];
      const sql = renderSql(SQL.rows['lock-children'], {
        table: childTable,
        columns: list.length === 0 ? '1' : list.join(', '),
        isChild: `${named} in (${tuples.join(', ')})`,
      });
      return sendSql(compileSql(MYSQL, sql), bindings);
    },

    /** The relay removes the outbox rows: one statement for many rows does not return all their ids. */
    addCacheKeysSql: (cacheKeys) =>
      sendSql(ADD_CACHE_KEYS, { cache_keys: JSON.stringify(cacheKeys) }),

    rows,
  };
}

/** Whole numbers go as digits, bytes as bytes, all else as text: as the column's own comparison wants them. */
function bound(type: string, value: RawValue): SqlValue {
  if (value === null) return null;
  if (/int$|^year$/.test(type)) return BigInt(value.toString());
  if (/binary$|blob$|^bit$/.test(type)) return value;
  return value.toString();
}
