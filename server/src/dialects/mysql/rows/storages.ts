/** What the server keeps tables and partitions under: other numbers after each truncate, exchange or rebuild. */
import { LockstepError } from '../../../domain/index.ts';
import { StatementFailure } from '../../../database/connections/statement-failure.ts';
import type { SqlRow, SqlRunner, SqlStatement } from '../../../database/statements/sql.ts';
import { SQL } from './sql-texts.ts';

const OF_MARIADB: SqlStatement = { mysql2: SQL.catalog['list-storages-of-mariadb'] };
const OF_MYSQL: SqlStatement = { mysql2: SQL.catalog['list-storages-of-mysql'] };

/**
 * The storages of the given tables, by the table's id. A table is absent from the result if the account may not ask
 * (this needs the right `process`), or, on MySQL, if its name has letters outside ASCII: MySQL converts no file names.
 * @param tables ids: `schema.table`
 */
export async function mysqlStorages(
  sql: SqlRunner,
  isMariaDb: boolean,
  tables: readonly string[],
): Promise<Map<string, string>> {
  const list = isMariaDb ? storagesOfMariaDb : storagesOfMysql;
  // All of a schema at once: the server has no quicker way to one of them.
  const schemas = new Set(tables.map((id) => id.slice(0, id.indexOf('.'))));
  const found = new Map<string, string>();
  for (const schema of schemas) {
    for (const { id, part, storage } of await list(sql, schema)) {
      found.set(id, `${found.get(id) ?? ''} ${part}=${storage}`);
    }
  }
  return found;
}

interface Storage {
  /** `schema.table` */
  id: string;
  part: string;
  storage: string;
}

async function storagesOfMariaDb(sql: SqlRunner, schema: string): Promise<Storage[]> {
  const rows = await rowsIfAllowed(sql, OF_MARIADB, { schema });
  return rows.map((row) => ({
    id: row.table_id ?? '',
    part: row.part ?? '',
    storage: row.storage ?? '',
  }));
}

async function storagesOfMysql(sql: SqlRunner, schema: string): Promise<Storage[]> {
  const folder = fileName(schema);
  if (folder === null) return [];
  // In a LIKE pattern, `_` stands for any letter.
  const prefix = `${folder.replaceAll('_', String.raw`\_`)}/%`;
  const rows = await rowsIfAllowed(sql, OF_MYSQL, { prefix });
  return rows.flatMap(({ part, storage }) => {
    const path = part ?? '';
    const [file = ''] = path.slice(folder.length + 1).split('#p#');
    const table = nameOfFile(file);
    return table === null ? [] : [{ id: `${schema}.${table}`, part: path, storage: storage ?? '' }];
  });
}

async function rowsIfAllowed(
  sql: SqlRunner,
  statement: SqlStatement,
  bindings: Readonly<Record<string, string>>,
): Promise<SqlRow[]> {
  try {
    return (await sql.run(statement, bindings)).rows;
  } catch (error) {
    if (error instanceof LockstepError && error.cause instanceof StatementFailure) {
      const { kind } = error.cause;
      if (kind === 'refused' || kind === 'broken') return [];
    }
    throw error;
  }
}

/** How MySQL writes a name in a file name: `@` and four hexadecimal digits stand for what is no letter, digit or `_`. */
function fileName(name: string): string | null {
  if (!/^[ -~]*$/.test(name)) return null;
  return name.replaceAll(
    /\W/g,
    (letter) => `@${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The name that a file name stands for. Null if it has letters outside ASCII. */
function nameOfFile(file: string): string | null {
  if (!/^(?:\w|@00[0-7][0-9a-f])*$/.test(file)) return null;
  return file.replaceAll(/@([0-9a-f]{4})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}
