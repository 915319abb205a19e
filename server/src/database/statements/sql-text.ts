import { tableNameParts } from '../../domain/index.ts';
import type { Spelling } from './spelling.ts';
import type { SqlBindings, SqlDialect, SqlStatement, SqlTexts, SqlValue } from './sql.ts';
import { NamedStatement } from './sql-files.ts';

/** A statement in a driver's own form: `$1` or `?`, and the names that its placeholders stand for, in order. */
export interface CompiledSql {
  text: string;
  order: readonly string[];
  /** PostgreSQL: each connection prepares it once under this name. */
  name?: string | undefined;
}

const FRAGMENT = /\{\{(\w+)\}\}/g;

/** Fills `{{name}}` fragments of a template with SQL; a fragment without its text is a defect. */
export function renderSql(template: string, fragments: Readonly<Record<string, string>>): string {
  return template.replace(FRAGMENT, (_, name: string) => {
    const text = fragments[name];
    if (text === undefined) throw new Error(`SQL template needs {{${name}}}`);
    return text;
  });
}

/** Fills the fragments of a statement's texts. */
export function renderStatement(
  statement: SqlTexts,
  fragments: Readonly<Record<string, string>>,
): SqlTexts {
  const texts = Object.entries(statement).map(([client, text = '']) => [
    client,
    renderSql(text, fragments),
  ]);
  return Object.fromEntries(texts) as SqlTexts;
}

/** The statement's text for the database; undefined where it has none. */
export function textFor(statement: SqlStatement, dialect: SqlDialect): string | undefined {
  if (statement instanceof NamedStatement) return statement.textFor(dialect);
  return statement[dialect.client] ?? statement['any'];
}

/** The statement's text for the dialect. @throws Error where it is not for that database */
export function dialectText(statement: SqlStatement, dialect: SqlDialect): string {
  const text = textFor(statement, dialect);
  if (text === undefined) throw new Error(`A statement has no text for ${dialect.client}`);
  return text;
}

/** Whether the database has this statement: some are for one database only. */
export const hasStatement = (
  { dialect }: { dialect: SqlDialect },
  statement: SqlStatement,
): boolean => textFor(statement, dialect) !== undefined;

/** Turns `:name` placeholders into the driver's. On PostgreSQL a name that stands twice is one parameter. */
export function compileSql(spelling: Spelling, sql: string): CompiledSql {
  const order: string[] = [];
  const text = sql.replace(spelling.tokens, (token: string, ...rest) => {
    const { comment, name } = rest.at(-1) as { comment?: string; name?: string };
    if (name !== undefined) return spelling.placeholder(order, name);
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
export function quoteName({ quote }: Spelling, name: string): string {
  return quote + name.replaceAll(quote, quote + quote) + quote;
}

/**
 * A table's name as the configuration has it, quoted.
 * @param schema where it is; default: where its name says, or the connection
 */
export function quoteTable(spelling: Spelling, table: string, schema?: string): string {
  const parts = tableNameParts(table);
  const all = schema === undefined ? parts : [schema, parts.at(-1) ?? ''];
  return all.map((part) => quoteName(spelling, part)).join('.');
}
