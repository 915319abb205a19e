import {
  quoteName,
  renderStatement,
  type SqlRunner,
  type SqlStatement,
} from '../../database/index.ts';
import { LockstepError } from '../../domain/index.ts';
import type { FollowedTable, FollowedTables } from './followed-tables.ts';
import { SQL } from './statements.ts';

/** The columns that show which key was written. */
const KEYS_COLUMNS = '(resource, key, version)';

/**
 * Creates the publication, or adds the tables that it lacks; an administrator may have created it.
 * @returns the tables that were added to an existing publication: changes of these may have been missed
 */
export async function publish(
  sql: SqlRunner,
  publication: string,
  { keys, tables }: FollowedTables,
): Promise<FollowedTable[]> {
  const [found] = (await sql.run(SQL['read-publication'], { publication })).rows;
  const wanted = [...(keys === null ? [] : [keys]), ...tables];
  if (found === undefined) {
    if (wanted.length > 0) await run(sql, SQL['create-publication'], publication, wanted, keys);
    return [];
  }
  if (found.publishes_all !== 't') {
    throw new LockstepError(
      'INVALID',
      `The publication ${publication} leaves out operations; allowed: insert, update, delete and truncate.`,
    );
  }
  const there = new Set(
    (JSON.parse(found.tables ?? '[]') as [string, string][]).map(([schema, name]) =>
      JSON.stringify([schema, name]),
    ),
  );
  const missing = wanted.filter(
    ({ schema, relation }) => !there.has(JSON.stringify([schema, relation])),
  );
  if (missing.length > 0) await run(sql, SQL['add-to-publication'], publication, missing, keys);
  return missing;
}

async function run(
  sql: SqlRunner,
  template: SqlStatement,
  publication: string,
  tables: readonly FollowedTable[],
  keys: FollowedTable | null,
): Promise<void> {
  const names = new Map<string, string>();
  for (const table of tables) {
    const name = [table.schema, table.relation].map((part) => quoteName('pg', part)).join('.');
    names.set(name, table === keys ? `${name} ${KEYS_COLUMNS}` : name);
  }
  const statement = renderStatement(template, {
    publication: quoteName('pg', publication),
    tables: [...names.values()].join(', '),
  });
  await sql.run(statement);
}
