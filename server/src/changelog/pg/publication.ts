import { quoteName, renderSql, type SqlRunner, type SqlStatement } from '../../database/index.ts';
import { LockstepError } from '../../domain/index.ts';
import addSql from '../sql/pg/add-to-publication.sql?raw';
import createSql from '../sql/pg/create-publication.sql?raw';
import publicationSql from '../sql/pg/publication.sql?raw';
import type { FollowedTable, FollowedTables } from './followed-tables.ts';

const PUBLICATION: SqlStatement = { pg: publicationSql, mysql2: '' };
/** All that tells which key was written. */
const KEYS_COLUMNS = '(resource, key, version)';

/**
 * Makes the publication, or adds to it what is missing; an administrator may have made it beforehand.
 * @returns the tables that were added to one that was there: of these, changes may have gone by
 */
export async function publish(
  sql: SqlRunner,
  publication: string,
  { keys, tables }: FollowedTables,
): Promise<FollowedTable[]> {
  const [found] = (await sql.run(PUBLICATION, { publication })).rows;
  const wanted = [...(keys === null ? [] : [keys]), ...tables];
  if (found === undefined) {
    if (wanted.length > 0) await run(sql, createSql, publication, wanted, keys);
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
  if (missing.length > 0) await run(sql, addSql, publication, missing, keys);
  return missing;
}

async function run(
  sql: SqlRunner,
  template: string,
  publication: string,
  tables: readonly FollowedTable[],
  keys: FollowedTable | null,
): Promise<void> {
  const names = new Map<string, string>();
  for (const table of tables) {
    const name = [table.schema, table.relation].map((part) => quoteName('pg', part)).join('.');
    names.set(name, table === keys ? `${name} ${KEYS_COLUMNS}` : name);
  }
  const text = renderSql(template, {
    publication: quoteName('pg', publication),
    tables: [...names.values()].join(', '),
  });
  await sql.run({ pg: text, mysql2: '' });
}
