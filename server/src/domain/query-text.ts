/**
 * The text of a configured query, read only as far as its placeholders and its outermost clauses need it: what stands
 * in quotes and comments is told apart, everything else is the database's to judge. Pure.
 */

export type QueryDialect = 'pg' | 'mysql2';

/** What a driver takes for a placeholder anywhere in the text, which a query must therefore not hold. */
const DRIVER_PLACEHOLDER: Record<QueryDialect, string | null> = { pg: null, mysql2: '?' };

/** A query whose `{parameter}` placeholders are found; a value is always bound, never put into the text. */
export interface QueryText {
  /** As it is configured. */
  source: string;
  parts: readonly QueryPart[];
  /** The parameters that it names, each once. */
  parameters: readonly string[];
  /** Its rows come in an order of their own (an outermost `order by`). */
  isOrdered: boolean;
  /** It bounds its rows itself (an outermost `limit` or `fetch first`). */
  hasLimit: boolean;
}

export type QueryPart = { sql: string } | { parameter: string };

/** Quotes of both dialects, comments (dropped), placeholders, words, and what has a meaning of its own. */
const TOKENS: Record<QueryDialect, RegExp> = {
  pg: /(?<comment>--[^\n]*|\/\*[^]*?\*\/)|(?<quoted>[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?<tag>\w*)\$[^]*?\$\k<tag>\$)|\{(?<parameter>[A-Za-z_]\w*)\}|(?<word>[\p{L}_][\p{L}\d_$]*)|(?<mark>[(){};])|[^]/gu,
  mysql2:
    /(?<comment>--(?=\s|$)[^\n]*|#[^\n]*|\/\*[^]*?\*\/)|(?<quoted>'(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*"|`(?:[^`]|``)*`)|\{(?<parameter>[A-Za-z_]\w*)\}|(?<word>[\p{L}_][\p{L}\d_$]*)|(?<mark>[(){};])|[^]/gu,
};

/** Outermost words that no reading query of rows has. */
const REFUSED = new Set(['into', 'for', 'procedure']);

/** @throws Error with what is wrong and what is allowed */
export function parseQuery(source: string, dialect: QueryDialect): QueryText {
  const scan = new Scan(dialect);
  for (const token of source.matchAll(TOKENS[dialect])) scan.take(token[0], token.groups ?? {});
  return { source, ...scan.end() };
}

class Scan {
  readonly #dialect: QueryDialect;
  readonly #parts: QueryPart[] = [];
  /** Outermost words in small letters. */
  readonly #words: string[] = [];
  #sql = '';
  #depth = 0;
  #isEnded = false;

  constructor(dialect: QueryDialect) {
    this.#dialect = dialect;
  }

  take(text: string, groups: Record<string, string | undefined>): void {
    const { comment, parameter, word, mark } = groups;
    if (comment !== undefined || /^\s$/.test(text)) {
      this.#sql += ' ';
      return;
    }
    if (this.#isEnded) throw new Error('has more than one statement; allowed: one select');
    if (mark === ';') {
      this.#isEnded = true;
      return;
    }
    if (mark === '{' || mark === '}') {
      throw new Error('has a brace that is no placeholder; allowed: {parameter}');
    }
    if (mark !== undefined) this.#depth += mark === '(' ? 1 : -1;
    if (word !== undefined && this.#depth === 0) this.#words.push(word.toLowerCase());
    if (parameter === undefined) this.#add(text);
    else this.#parts.push({ sql: this.#takeSql() }, { parameter });
  }

  end(): Omit<QueryText, 'source'> {
    const words = this.#words;
    if (words[0] !== 'select' && words[0] !== 'with') {
      throw new Error('is no select; allowed: one select (or with … select)');
    }
    const refused = words.find((word) => REFUSED.has(word));
    if (refused !== undefined) {
      throw new Error(`says ${refused}; allowed: a select that only reads`);
    }
    this.#parts.push({ sql: this.#takeSql().trimEnd() });
    return {
      parts: this.#parts,
      parameters: [
        ...new Set(this.#parts.flatMap((part) => ('parameter' in part ? [part.parameter] : []))),
      ],
      isOrdered: words.some((word, at) => word === 'order' && words[at + 1] === 'by'),
      hasLimit: words.includes('limit') || words.includes('fetch'),
    };
  }

  #add(text: string): void {
    const placeholder = DRIVER_PLACEHOLDER[this.#dialect];
    if (placeholder !== null && text.includes(placeholder)) {
      throw new Error('holds a ?, which the driver takes for a placeholder; allowed: char(63)');
    }
    this.#sql += text;
  }

  #takeSql(): string {
    const sql = this.#sql;
    this.#sql = '';
    return sql;
  }
}
