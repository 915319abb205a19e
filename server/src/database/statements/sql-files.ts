/**
 * SQL files of named statements, one file for each table and dialect:
 *
 *   -- name: claim-batch
 *   select id from lockstep_outbox order by id limit :limit
 *
 * A file that both dialects share is written for PostgreSQL. For MySQL its casts are dropped, and quoted names and upserts
 * are spelled as MySQL has them. Its fragments are the dialect's: `{{clock}}` (the time now), `{{nowMs}}` (the same in
 * milliseconds since 1970), `{{ageMs column}}` (milliseconds since a time) and `{{returningId}}` (the id of an insert).
 * A statement whose dialects differ in more than this has a text in the file of each dialect.
 */
import type { DatabaseClient, SqlStatement } from './sql.ts';

/** The texts of a capability's SQL files. */
export interface SqlFiles {
  /** For every dialect. */
  shared?: string;
  pg?: string;
  mysql2?: string;
}

const NAME = /^-- name:[^\S\n]*([a-z][a-z0-9-]*)[^\S\n]*\n/m;

/**
 * The statements of one file by name, each as it stands there. What stands before the first name is left out.
 * @throws Error where a name stands twice, or where the file and `names` do not have the same ones
 */
export function namedSql<Name extends string>(
  file: string,
  names: readonly Name[],
): Record<Name, string> {
  const texts = parse(file);
  for (const name of texts.keys())
    if (!names.some((each) => each === name)) throw new Error(`Nobody uses the statement ${name}`);
  return Object.fromEntries(names.map((name) => [name, textOf(texts, name)])) as Record<
    Name,
    string
  >;
}

/**
 * The statements of a capability, in each dialect that a file is given for.
 * @param names those that every dialect has
 * @param only those that one dialect has
 * @throws Error where a file lacks one of them or has another one
 */
export function readStatements<Name extends string, Only extends string = never>(
  files: SqlFiles,
  names: readonly Name[],
  only: Partial<Record<DatabaseClient, readonly Only[]>> = {},
): Record<Name | Only, SqlStatement> {
  const statements: Partial<Record<string, Partial<Record<DatabaseClient, string>>>> = {};
  for (const client of CLIENTS) {
    const file = files[client];
    const wanted: string[] = [...names, ...(only[client] ?? [])];
    // A capability of one dialect only has no files of the other.
    if (file === undefined && files.shared === undefined) continue;
    const shared = [...parse(files.shared ?? '')].map(
      ([name, text]) => [name, DIALECTS[client](text)] as const,
    );
    const own = parse(file ?? '');
    for (const [name] of shared)
      if (own.has(name)) throw new Error(`Two files have the statement ${name}`);
    const texts = new Map([...shared, ...own]);
    for (const name of texts.keys())
      if (!wanted.includes(name)) throw new Error(`Nobody uses the statement ${name}`);
    for (const name of wanted) (statements[name] ??= {})[client] = textOf(texts, name);
  }
  return statements as Record<Name | Only, SqlStatement>;
}

const CLIENTS: readonly DatabaseClient[] = ['pg', 'mysql2'];

const AGE = /\{\{ageMs (\w+)\}\}/g;

/** What a shared text becomes in each dialect. */
const DIALECTS: Record<DatabaseClient, (text: string) => string> = {
  pg: (text) =>
    text
      .replaceAll('{{clock}}', 'clock_timestamp()')
      .replaceAll('{{nowMs}}', '(extract(epoch from clock_timestamp()) * 1000)::bigint')
      .replaceAll(AGE, '(extract(epoch from clock_timestamp() - $1) * 1000)::bigint')
      .replaceAll('{{returningId}}', 'returning id'),
  mysql2: (text) =>
    text
      .replaceAll('{{clock}}', 'now(6)')
      .replaceAll('{{nowMs}}', 'cast(unix_timestamp(now(3)) * 1000 as signed)')
      .replaceAll(AGE, 'timestampdiff(microsecond, $1, now(6)) div 1000')
      .replaceAll('{{returningId}}', '')
      .replaceAll(/::[a-z]\w*/g, '')
      .replaceAll(/"(\w+)"/g, '`$1`')
      .replaceAll(/\bon conflict \([\w, ]+\) do update\s+set\b/g, 'on duplicate key update')
      .replaceAll(/\bexcluded\.(\w+)/g, 'values($1)'),
};

function parse(file: string): Map<string, string> {
  const [, ...parts] = file.split(NAME);
  const texts = new Map<string, string>();
  for (let at = 0; at < parts.length; at += 2) {
    const name = parts[at] ?? '';
    if (texts.has(name)) throw new Error(`The statement ${name} stands twice`);
    texts.set(name, `${(parts[at + 1] ?? '').trimEnd()}\n`);
  }
  return texts;
}

function textOf(texts: ReadonlyMap<string, string>, name: string): string {
  const text = texts.get(name);
  if (text === undefined) throw new Error(`No file has the statement ${name}`);
  return text;
}
