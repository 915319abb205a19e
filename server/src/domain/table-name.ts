/**
 * The names of tables, in the configuration and everywhere else: `table` or `schema.table`. A part that contains a dot
 * or a double quote is put in double quotes, as in SQL: `"price.list"` is a table, `app."price.list"` a table in a
 * schema.
 */

const PART = /"(?:[^"]|"")+"|[^".]+/y;

/**
 * The table's name, and the schema's before it if there is one.
 * @throws Error with what is wrong
 */
export function tableNameParts(name: string): [table: string] | [schema: string, table: string] {
  const parts: string[] = [];
  for (let at = 0; ; at += 1) {
    PART.lastIndex = at;
    const [part] = PART.exec(name) ?? [];
    if (part === undefined) throw new Error('is not the name of a table');
    parts.push(part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part);
    at += part.length;
    if (at === name.length) break;
    if (name[at] !== '.') throw new Error('is not the name of a table');
  }
  const [first = '', second, ...more] = parts;
  if (more.length > 0) throw new Error('has more parts than a schema and a table');
  return second === undefined ? [first] : [first, second];
}

/** The canonical name for these parts. */
export function tableName(parts: readonly string[]): string {
  return parts
    .map((part) => (/[".]/.test(part) ? `"${part.replaceAll('"', '""')}"` : part))
    .join('.');
}
