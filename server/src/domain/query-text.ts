/**
 * The text of a configured query. It is read only to find its placeholders and its outermost clauses, which means
 * skipping quotes and comments. Everything else is left to the database. Pure.
 */

/** How a database spells the text of a query. */
export interface QuerySpelling {
  /**
   * Finds the parts of a query as the groups `comment` (dropped), `quoted`, `parameter` (in braces), `word`, and `mark` (a
   * character with a meaning of its own). It finds everything else one character at a time.
   */
  readonly tokens: RegExp;
  /** The driver takes this text for a placeholder everywhere, so a query must not contain it. Null: there is no such text. */
  readonly driverPlaceholder: string | null;
}

/** A query with its `{parameter}` placeholders found. Values are always bound, and never put into the text. */
export interface QueryText {
  /** The text as configured. */
  source: string;
  parts: readonly QueryPart[];
  /** The parameters that it names, each once. */
  parameters: readonly string[];
  /** Whether it orders its rows (an outermost `order by`). */
  isOrdered: boolean;
  /** Whether it limits its rows (an outermost `limit` or `fetch first`). */
  hasLimit: boolean;
}

export type QueryPart = { sql: string } | { parameter: string };

/** Outermost words that no query has that only reads rows. */
const REFUSED = new Set(['into', 'for', 'procedure']);

/** @throws Error with what is wrong and what is allowed */
export function parseQuery(source: string, spelling: QuerySpelling): QueryText {
  const scan = new Scan(spelling);
  for (const token of source.matchAll(spelling.tokens)) scan.take(token[0], token.groups ?? {});
  return { source, ...scan.end() };
}

class Scan {
  readonly #spelling: QuerySpelling;
  readonly #parts: QueryPart[] = [];
  /** Outermost words in lower case. */
  readonly #words: string[] = [];
  #sql = '';
  #depth = 0;
  #isEnded = false;

  constructor(spelling: QuerySpelling) {
    this.#spelling = spelling;
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
      throw new Error('has a brace that is not part of a placeholder; allowed: {parameter}');
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
      throw new Error(`contains ${refused}; allowed: a select that only reads`);
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
    const { driverPlaceholder: placeholder } = this.#spelling;
    if (placeholder !== null && text.includes(placeholder)) {
      throw new Error('contains a ?, which the driver takes for a placeholder; allowed: char(63)');
    }
    this.#sql += text;
  }

  #takeSql(): string {
    const sql = this.#sql;
    this.#sql = '';
    return sql;
  }
}
