import type { DatabaseClient, SqlBindings, SqlValue } from './sql.ts';

/** A statement in a driver's own form: `$1` or `?`, and the names that its placeholders stand for, in order. */
export interface CompiledSql {
  text: string;
  order: readonly string[];
}

const PLACEHOLDER = /(?<![:\w]):([a-z]\w*)/gi;
const FRAGMENT = /\{\{(\w+)\}\}/g;
const COMMENT = /^\s*--.*\n?/gm;

/** Fills `{{name}}` fragments of a template with SQL; a fragment without its text is a defect. */
export function renderSql(template: string, fragments: Readonly<Record<string, string>>): string {
  return template.replace(FRAGMENT, (_, name: string) => {
    const text = fragments[name];
    if (text === undefined) throw new Error(`SQL template needs {{${name}}}`);
    return text;
  });
}

/** Turns `:name` placeholders into the driver's. On PostgreSQL a name that stands twice is one parameter. */
export function compileSql(client: DatabaseClient, sql: string): CompiledSql {
  const order: string[] = [];
  const text = sql.replace(COMMENT, '').replace(PLACEHOLDER, (_, name: string) => {
    if (client === 'mysql2') {
      order.push(name);
      return '?';
    }
    if (!order.includes(name)) order.push(name);
    return `$${order.indexOf(name) + 1}`;
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

/** A quoted name of a table (optionally with its schema) or column. */
export function quoteName(client: DatabaseClient, name: string): string {
  const quote = client === 'pg' ? '"' : '`';
  return name
    .split('.')
    .map((part) => quote + part.replaceAll(quote, quote + quote) + quote)
    .join('.');
}
