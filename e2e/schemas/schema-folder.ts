import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

export type Client = 'pg' | 'mysql2';

/** One schema: SQL files that are loaded in the order of their names. */
export interface SchemaFiles {
  name: string;
  client: Client;
  files: string[];
}

/**
 * Finds the schemas in a folder. Each file `NAME.sql` directly in it, in `pg` or in `mysql` is a schema, and so is each
 * folder of SQL files. A path that contains pg, postgres, mysql or mariadb names the database; otherwise the text decides.
 */
export function findSchemas(folder: string): SchemaFiles[] {
  const schemas = new Map<string, SchemaFiles>();
  for (const file of listSqlFiles(folder)) {
    const path = relative(folder, file);
    const client = clientOf(path) ?? clientOfText(readFileSync(file, 'utf8'));
    const name = nameOf(path);
    const id = `${client} ${name}`;
    const schema = schemas.get(id) ?? { name, client, files: [] };
    schema.files.push(file);
    schemas.set(id, schema);
  }
  return [...schemas.values()].sort(
    (one, other) => one.name.localeCompare(other.name) || one.client.localeCompare(other.client),
  );
}

function listSqlFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.sql'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

const DATABASE_FOLDER = /^(pg|postgres(ql)?|pgsql|mysql2?|mariadb)$/i;

function nameOf(path: string): string {
  const folders = path.split(/[\\/]/);
  const file = folders.pop() ?? '';
  const named = folders.filter((folder) => !DATABASE_FOLDER.test(folder));
  return named.length > 0 ? named.join('/') : basename(file, '.sql');
}

function clientOf(path: string): Client | null {
  if (/mysql|maria/i.test(path)) return 'mysql2';
  return /postgres|pgsql|(^|[\\/._-])pg([\\/._-]|$)/i.test(path) ? 'pg' : null;
}

function clientOfText(text: string): Client {
  return /\bengine\s*=|\bauto_increment\b|create table (if not exists )?`/i.test(text)
    ? 'mysql2'
    : 'pg';
}
