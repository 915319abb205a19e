import type { Key, Resource } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { type RawValue, sendSql } from '../connections/driver.ts';
import { pgChange } from './change-sql.ts';
import { isKeySql } from '../write/change-sql.ts';
import { nameSql, quote, select } from './names.ts';
import { pgKeyBindings } from './values.ts';
import type { VersionedRow } from '../port.ts';
import type { ReachDialect } from '../write/reached-rows.ts';
import { SQL } from './sql-texts.ts';
import { bindSql, compileSql, quoteTable, renderSql } from '../statements/sql-text.ts';
import type { SqlBindings, SqlValue } from '../statements/sql.ts';

const NOTE = nameSql(SQL.outbox['add-cache-keys']);

/** How PostgreSQL finds the rows that foreign keys change. */
export function pgReach(
  readMany: (session: Session, resource: Resource, keys: readonly Key[]) => Promise<VersionedRow[]>,
): ReachDialect {
  return {
    async own(session, key, columns) {
      const sql = renderSql(SQL.rows['read-columns'], {
        table: quoteTable('pg', key.resource.table, key.resource.schema),
        columns: columns.map((name) => `r.${quote(name)}`).join(', '),
        isKey: isKeySql(pgChange, key.resource),
      });
      return (await run(session, sql, pgKeyBindings(key)))[0] ?? null;
    },

    async children(session, { childTable, columns }, parents, wanted, limit) {
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
      return run(session, sql, bindings);
    },

    rows: async (session, resource, keys) =>
      (await readMany(session, resource, keys)).map(({ row }) => row),

    async note(session, cacheKeys) {
      const { rows } = await session.run(sendSql(NOTE, { cache_keys: [...cacheKeys] }));
      return rows.map(([id]) => String(id));
    },
  };
}

/** Not prepared: such writes are rare, and there may be many foreign keys. */
async function run(session: Session, sql: string, bindings: SqlBindings): Promise<RawValue[][]> {
  const compiled = compileSql('pg', sql);
  const { rows } = await session.run({
    text: compiled.text,
    values: bindSql(compiled, bindings),
  });
  return rows;
}

const textOf = (value: RawValue): string | null => (value === null ? null : value.toString());
