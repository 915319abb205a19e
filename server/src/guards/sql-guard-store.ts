import { readStatements, type SqlRow, type SqlRunner } from '../database/index.ts';
import type { GuardCall, GuardStore, StoredGuard } from './port.ts';

const SQL = readStatements({ name: 'guards' }, ['add', 'list-calls', 'remove', 'list-old']);

type Named = { fence: number; resource: string; key: string };

/** The guards in the database. */
export function createGuardStore({ sql }: { sql: SqlRunner }): GuardStore {
  const remove = async (guards: readonly Named[]): Promise<void> => {
    if (guards.length > 0) await sql.run(SQL.remove, { guards: JSON.stringify(guards) });
  };
  return {
    database: sql.dialect.client,
    add: async (keys) => {
      await sql.run(SQL.add, { guards: JSON.stringify(keys.map(asRow)) });
    },
    calls: async (guard) => (await sql.run(SQL['list-calls'], { guard })).rows.map(toCall),
    remove: (keys) => remove(keys.map(named)),
    prune: async (limit) => {
      const { rows } = await sql.run(SQL['list-old'], { limit });
      const old = rows.map(toCall);
      await remove(old.map(({ fence, resource, keyText }) => ({ fence, resource, key: keyText })));
      return old.length;
    },
  };
}

const named = ({ key, fence }: Pick<StoredGuard, 'key' | 'fence'>): Named => ({
  fence,
  resource: key.resource.name,
  key: key.text,
});

const asRow = (stored: StoredGuard): object => ({
  ...named(stored),
  guard: stored.guard,
  row_resource: stored.key.rows,
  row_key: stored.key.rowText,
  has_others: stored.hasOthers ? 1 : 0,
});

const toCall = (row: SqlRow): GuardCall => ({
  resource: row.resource ?? '',
  keyText: row.key ?? '',
  fence: Number(row.fence),
  version: row.version === null || row.version === undefined ? null : Number(row.version),
});
