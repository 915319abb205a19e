import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { SchemaFiles } from './schema-folder.ts';

/** What the database's own client said while it loaded a schema. */
export interface LoadReport {
  /** Statements that failed, such as those of an extension that is not there. Their objects are missing. */
  failed: number;
  firstFailure: string | null;
}

/**
 * Loads a schema with the database's own client, which knows dumps, delimiters and `COPY`. A statement that fails does
 * not stop the rest.
 * @param url of an empty database
 */
export async function loadSchema(schema: SchemaFiles, url: string): Promise<LoadReport> {
  const sql = schema.files
    .map((file) => readFileSync(file, 'utf8').replace(/^\uFEFF/, ''))
    .join('\n');
  const output = schema.client === 'pg' ? await runPsql(sql, url) : await runMysql(sql, url);
  const failures = output.split('\n').filter((line) => /\bERROR\b/.test(line));
  return { failed: failures.length, firstFailure: failures[0] ?? null };
}

/**
 * Dumps change databases, which are not there: the schema belongs in the database of the URL. A transaction around the
 * whole would lose all of it with its first failure.
 */
function runPsql(sql: string, url: string): Promise<string> {
  const own = sql
    .replaceAll(/^\s*(\\c(onnect)?\b.*|(create|drop) database\b[^;*]*;)/gim, '')
    .replaceAll(/^\s*(\\set on_error_stop.*|(begin|commit)( work| transaction)?;\s*)$/gim, '');
  return runClient('psql', ['--no-psqlrc', '--quiet', '--dbname', url], own);
}

function runMysql(sql: string, url: string): Promise<string> {
  const { hostname, port, username, pathname } = new URL(url);
  const place = ['--host', hostname, '--port', port, '--user', username, pathname.slice(1)];
  const own = sql
    .replaceAll(/^\s*(use\b.*|(create|drop) (database|schema)\b[^;*]*;)/gim, '')
    // A prefix that an installer would put in.
    .replaceAll(/\{?#__|@PREFIX@/g, 'x_');
  return runClient('mariadb', ['--force', '--default-character-set=utf8mb4', ...place], own);
}

async function runClient(command: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  const failed = once(child, 'error').then(([error]) => {
    throw new Error(`${command} is needed to load schemas and cannot be run: ${String(error)}`);
  });
  child.stdin.on('error', () => undefined); // a client that ended early says why on stderr
  child.stdin.end(input);
  const ended = Promise.all([text(child.stderr), once(child, 'close')]);
  const [errors] = await Promise.race([ended, failed]);
  return errors;
}
