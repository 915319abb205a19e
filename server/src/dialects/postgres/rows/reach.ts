import type { Key, Resource } from '../../../domain/index.ts';
import type { Session } from '../../../database/connections/connections.ts';
import { type RawValue, sendSql } from '../../../database/connections/driver.ts';
import { pgChange } from './change-sql.ts';
import { isKeySql } from '../../../database/write/change-sql.ts';
import { nameSql, quote, select } from './names.ts';
import { pgKeyBindings } from './values.ts';
import type { VersionedRow } from '../../../database/port.ts';
import type { ReachDialect } from '../../../database/write/reached-rows.ts';
import { SQL } from './sql-texts.ts';
import { compileSql, quoteTable, renderSql } from '../../../database/statements/sql-text.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';
import { POSTGRES } from '../spelling.ts';

const ADD_CACHE_KEYS = nameSql(SQL.outbox['add-cache-keys']);

/**
 * How PostgreSQL finds the rows that foreign keys change. The statements are not prepared: such writes are rare, and
 * there may be many foreign keys.
 */
export function pgReach(
  readMany: (session: Session, resource: Resource, keys: readonly Key[]) => Promise<VersionedRow[]>,
): ReachDialect {
  return {
    ownSql(key, columns) {
      const sql = renderSql(SQL.rows['read-columns'], {
        table: quoteTable(POSTGRES, key.resource.table, key.resource.schema),
        columns: columns.map((name) => `r.${quote(name)}`).join(', '),
        isKey: isKeySql(pgChange, key.resource),
      });
      return sendSql(compileSql(POSTGRES, sql), pgKeyBindings(key));
    },

    childrenSql({ childTable, columns }, parents, wanted, limit) {
      const bindings: Record<string, SqlValue> = { limit };
      for (const index of columns.keys())
        bindings[`parents_${index}`] = parents.map((values) => textOf(values[index] ?? null));
      const arrays = columns.map(({ type }, index) => `:parents_${index}::${type}[]`);
      const names = columns.map((_, index) => `part_${index}`);
      const pairs = columns.map(({ child }, index) => `r.${quote(child)} = p.part_${index}`);
      const isChild =
        columns.length === 1
          ? `r.${quote(columns[0]?.child ?? '')} = any(${arrays.join('')})`
          : `exists (select from unnest(${arrays.join(', ')}) as p (${names.join(', ')}) where ${pairs.join(' and ')})`;
      const list = [
        ...wanted.raw.map((name) => `r.${quote(name)}`),
        ...wanted.columns.map((column) => select('r', column)),
      ];
      const sql = renderSql(SQL.rows['lock-children'], {
        table: childTable,
        columns: list.join(', '),
        isChild,
      });
      return sendSql(compileSql(POSTGRES, sql), bindings);
    },

    addCacheKeysSql: (cacheKeys) => sendSql(ADD_CACHE_KEYS, { cache_keys: [...cacheKeys] }),

    rows: async (session, resource, keys) =>
      (await readMany(session, resource, keys)).map(({ row }) => row),
  };
}

const textOf = (value: RawValue): string | null => (value === null ? null : value.toString());
