/**
 * Texts of named statements:
 *
 *   -- name: claim-batch
 *   select id from lockstep_outbox order by id limit :limit
 */
const NAME = /^-- name:[^\S\n]*([a-z][a-z0-9-]*)[^\S\n]*\n/m;

/** By name, each as it stands in the file. */
export type NamedTexts = ReadonlyMap<string, string>;

/** What stands before the first name is left out. @throws Error where a name stands twice */
export function parseNamedSql(file: string): NamedTexts {
  const [, ...parts] = file.split(NAME);
  const texts = new Map<string, string>();
  for (let at = 0; at < parts.length; at += 2) {
    const name = parts[at] ?? '';
    if (texts.has(name)) throw new Error(`The statement ${name} stands twice`);
    texts.set(name, `${(parts[at + 1] ?? '').trimEnd()}\n`);
  }
  return texts;
}

/** @throws Error where a text is not there */
export function textOf(texts: NamedTexts, name: string): string {
  const text = texts.get(name);
  if (text === undefined) throw new Error(`No file has the statement ${name}`);
  return text;
}

/** @throws Error where there is a text of another name */
export function refuseUnused(texts: NamedTexts, names: readonly string[]): void {
  for (const name of texts.keys())
    if (!names.includes(name)) throw new Error(`Nobody uses the statement ${name}`);
}

export function byName<Name extends string, Value>(
  names: readonly Name[],
  valueOf: (name: Name) => Value,
): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, valueOf(name)])) as Record<Name, Value>;
}

/** The texts of one file. @throws Error where the file and `names` do not have the same ones */
export function namedSql<Name extends string>(
  file: string,
  names: readonly Name[],
): Record<Name, string> {
  const texts = parseNamedSql(file);
  refuseUnused(texts, names);
  return byName(names, (name) => textOf(texts, name));
}

/** The same, as statements of one database. */
export function statementsOf<Name extends string>(
  client: string,
  file: string,
  names: readonly Name[],
): Record<Name, Readonly<Record<string, string>>> {
  const texts = namedSql(file, names);
  return byName(names, (name) => ({ [client]: texts[name] }));
}
