import { readStatements, type SqlRunner } from '../database/index.ts';
import { tableName } from '../domain/index.ts';

const SQL = readStatements({ name: 'relations' }, ['list-relations']);

/** A table, or a view and the like, that the database has. */
export interface Relation {
  schema: string;
  name: string;
  /** As `resources.NAME.table` names it: without the schema where it is found without one. */
  table: string;
}

/** What the account can see, without Lockstep's own tables. Those that need no schema come first. */
export async function listRelations(sql: SqlRunner): Promise<Relation[]> {
  const { rows } = await sql.run(SQL['list-relations']);
  return rows.map((row) => {
    const { schema, name } = { schema: row['schema'] ?? '', name: row['name'] ?? '' };
    const isVisible = row['is_visible'] === 't' || row['is_visible'] === '1';
    return { schema, name, table: tableName(isVisible ? [name] : [schema, name]) };
  });
}
