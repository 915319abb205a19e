/** Tries what writes do to each resource's table, on no row, in a transaction that is rolled back. */
import {
  quoteName,
  quoteTable,
  serverCodes,
  type SqlDialect,
  type SqlRunner,
  type SqlSession,
} from '../database/index.ts';
import { isDerived, type Resource } from '../domain/index.ts';

/** A statement that the server did not let the account run. */
export interface Denied {
  resource: Resource;
  /** Quoted, as in a grant. */
  table: string;
  verb: string;
}

export async function triedRights(
  sql: SqlRunner,
  resources: readonly Resource[],
): Promise<{ tables: number; denied: Denied[] }> {
  const stored = resources.filter((resource) => !isDerived(resource));
  const denied: Denied[] = [];
  for (const resource of stored) {
    const table = quoteTable(sql.dialect.spelling, resource.table);
    for (const verb of await deniedVerbs(sql, resource, table))
      denied.push({ resource, table, verb });
  }
  return { tables: stored.length, denied };
}

/** Thrown to roll a transaction back. */
class RolledBack extends Error {}

async function deniedVerbs(sql: SqlRunner, resource: Resource, table: string): Promise<string[]> {
  const denied: string[] = [];
  const { codes } = sql.dialect;
  const denying = [...codes.denied, ...codes.deniedElsewhere];
  const work = async (session: SqlSession): Promise<never> => {
    for (const [verb, text] of statementsFor(sql.dialect, resource, table)) {
      await session.run({ any: 'savepoint lockstep_trial' });
      try {
        await session.run({ any: text });
      } catch (error) {
        if (serverCodes(error).some((code) => denying.includes(code))) denied.push(verb);
        await session.run({ any: 'rollback to savepoint lockstep_trial' });
      }
    }
    throw new RolledBack();
  };
  await sql.transaction(work).catch((error: unknown) => {
    if (!(error instanceof RolledBack)) throw error;
  });
  return denied;
}

function statementsFor(
  { spelling, rights }: SqlDialect,
  resource: Resource,
  table: string,
): [verb: string, sql: string][] {
  const written = resource.columns.find((column) => !column.generated);
  const keys = resource.keyColumns.map(({ name }) => quoteName(spelling, name)).join(', ');
  const nothing = 'where 1 = 0';
  const statements: [string, string][] = [
    ['select', `select ${keys} from ${table} ${nothing}`],
    [
      'insert',
      `insert into ${table} (${keys}) ${rights.insertWords} select ${keys} from ${table} ${nothing}`,
    ],
    ['delete', `delete from ${table} ${nothing}`],
  ];
  if (written !== undefined) {
    const column = quoteName(spelling, written.name);
    statements.push(['update', `update ${table} set ${column} = ${column} ${nothing}`]);
  }
  return statements;
}
