import { tableNameParts } from '../../domain/index.ts';
import type { DatabaseClient, SqlBindings, SqlStatement, SqlValue } from './sql.ts';

/** A statement in a driver's own form: `$1` or `?`, and the names that its placeholders stand for, in order. */
export interface CompiledSql {
  text: string;
  order: readonly string[];
  /** PostgreSQL: each connection prepares it once under this name. */
  name?: string | undefined;
}

const FRAGMENT = /\{\{(\w+)\}\}/g;

/**
 * Where a statement's placeholders are. What stands in quotes is found first, so that a name is never taken for a
 * placeholder or a comment, no matter which characters it has.
 */
const TOKENS: Record<DatabaseClient, RegExp> = {
  pg: /(?<quoted>"(?:[^"]|"")*"|\b[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*')|(?<comment>^[^\S\n]*--[^\n]*\n?|--[^\n]*)|(?<![:\w]):(?<name>[a-z]\w*)/gim,
  mysql2:
    /(?<quoted>`(?:[^`]|``)*`|'(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*")|(?<comment>^[^\S\n]*--(?=\s)[^\n]*\n?|--(?=\s)[^\n]*)|(?<![:\w]):(?<name>[a-z]\w*)/gim,
};

const QUOTE: Record<DatabaseClient, string> = { pg: '"', mysql2: '`' };

/** The driver's placeholder of a name, which is noted in `order`. */
const PLACE: Record<DatabaseClient, (order: string[], name: string) => string> = {
  pg: (order, name) => {
    if (!order.includes(name)) order.push(name);
    return `$${order.indexOf(name) + 1}`;
  },
  mysql2: (order, name) => {
    order.push(name);
    return '?';
  },
};

/** Fills `{{name}}` fragments of a template with SQL; a fragment without its text is a defect. */
export function renderSql(template: string, fragments: Readonly<Record<string, string>>): string {
  return template.replace(FRAGMENT, (_, name: string) => {
    const text = fragments[name];
    if (text === undefined) throw new Error(`SQL template needs {{${name}}}`);
    return text;
  });
}

/** Fills the fragments of a statement in each of its dialects. */
export function renderStatement(
  statement: SqlStatement,
  fragments: Readonly<Record<string, string>>,
): SqlStatement {
  const texts = Object.entries(statement).map(([client, text]) => [
    client,
    renderSql(text, fragments),
  ]);
  return Object.fromEntries(texts) as SqlStatement;
}

/** The statement's text for the dialect. @throws Error where it is not for that dialect */
export function dialectText(statement: SqlStatement, client: DatabaseClient): string {
  const text = statement[client];
  if (text === undefined) throw new Error(`A statement has no text for ${client}`);
  return text;
}

/** Whether the database has this statement: some are for one dialect only. */
export const hasStatement = ({ client }: { client: DatabaseClient }, statement: SqlStatement) =>
  statement[client] !== undefined;

/** Turns `:name` placeholders into the driver's. On PostgreSQL a name that stands twice is one parameter. */
export function compileSql(client: DatabaseClient, sql: string): CompiledSql {
  const order: string[] = [];
  const text = sql.replace(TOKENS[client], (token: string, ...rest) => {
    const { comment, name } = rest.at(-1) as { comment?: string; name?: string };
    if (name !== undefined) return PLACE[client](order, name);
    return comment === undefined ? token : '';
  });
  return { text: text.trim(), order };
}

/** The values of the placeholders, in order; one that is missing is a defect. */
export function bindSql(compiled: CompiledSql, bindings: SqlBindings): SqlValue[] {
  return compiled.order.map((name) => {
    const value = bindings[name];
    if (value === undefined) throw new Error(`SQL statement needs :${name}`);
    return value;
  });
}

/** A quoted name, of a column for example. It stays one name, no matter which characters it has. */
export function quoteName(client: DatabaseClient, name: string): string {
  const quote = QUOTE[client];
  return quote + name.replaceAll(quote, quote + quote) + quote;
}

/**
 * A table's name as the configuration has it, quoted.
 * @param schema where it is; default: where its name says, or the connection
 */
export function quoteTable(client: DatabaseClient, table: string, schema?: string): string {
  const parts = tableNameParts(table);
  const all = schema === undefined ? parts : [schema, parts.at(-1) ?? ''];
  return all.map((part) => quoteName(client, part)).join('.');
}
