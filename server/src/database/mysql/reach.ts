import type { Key, Resource } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { type RawValue, sendSql } from '../connections/driver.ts';
import { statementsOf } from './statements.ts';
import { mysqlKeyBindings } from './values.ts';
import type { VersionedRow } from '../port.ts';
import type { ReachDialect } from '../write/reached-rows.ts';
import { SQL } from './sql-texts.ts';
import { compileSql, quoteName, renderSql } from '../statements/sql-text.ts';
import type { SqlValue } from '../statements/sql.ts';

const NOTE = compileSql('mysql2', SQL.outbox['add-cache-keys']);
const quote = (name: string): string => `r.${quoteName('mysql2', name)}`;

/** How MySQL and MariaDB find the rows that foreign keys change. */
export function mysqlReach(
  readMany: (
    session: Session,
    resource: Resource,
    keys: readonly Key[],
  ) => Promise<VersionedRow['row'][]>,
): ReachDialect {
  return {
    async own(session, key, columns) {
      const { table, isKey } = statementsOf(key.resource);
      const fragments = { table, isKey, columns: columns.map(quote).join(', ') };
      const sql = compileSql('mysql2', renderSql(SQL.rows['read-row'], fragments));
      const sent = sendSql(sql, mysqlKeyBindings(key));
      return (await session.run(sent)).rows[0] ?? null;
    },

    async children(session, { childTable, columns }, parents, wanted, limit) {
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
      return (await session.run(sendSql(compileSql('mysql2', sql), bindings))).rows;
    },

    rows: readMany,

    /** The relay removes them: one statement for many rows does not return all their ids. */
    async note(session, cacheKeys) {
      await session.run(sendSql(NOTE, { cache_keys: JSON.stringify(cacheKeys) }));
      return [];
    },
  };
}

/** Whole numbers go as digits, bytes as bytes, all else as text: as the column's own comparison wants them. */
function bound(type: string, value: RawValue): SqlValue {
  if (value === null) return null;
  if (/int$|^year$/.test(type)) return BigInt(value.toString());
  if (/binary$|blob$|^bit$/.test(type)) return value;
  return value.toString();
}
