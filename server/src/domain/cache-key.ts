import {
  escapedCharacters,
  parseTemplate,
  patternOfCharacters,
  percentEncoded,
  type Row,
  type TemplatePart as Part,
} from '@lockstep/shared';
import { type Automaton, automatonOf, has, type Language, patternOf, without } from './language.ts';
import { ANY_TEXT } from './part-language.ts';
import { columnOf } from './row.ts';

const NONE: ReadonlySet<string> = new Set();
const ANY_LANGUAGE = (): Language => ANY_TEXT;

/** What is known of a template's columns. */
export interface TemplateColumns {
  /** Columns in which blanks at the end mean nothing. In cache keys their values have none. */
  padded?: ReadonlySet<string>;
  /** The texts that a column's values can have. Default: any. */
  languageOf?: (column: string) => Language;
}

/**
 * A template such as `account:{id}` that names a cache key by columns of a row.
 *
 * Distinct values never share a cache key: see `cache-key-text.ts` in `shared`, which says how values are escaped.
 */
export class CacheKeyTemplate {
  readonly text: string;
  readonly columns: readonly string[];
  readonly #parts: Part[];
  readonly #escaped: ReadonlySet<string>;
  readonly #escapedPattern: RegExp;
  readonly #padded: ReadonlySet<string>;
  readonly #languageOf: (column: string) => Language;
  #pattern: RegExp | undefined;
  #automaton: Automaton | undefined;

  /** @throws Error with what is wrong if braces do not match or a placeholder is empty */
  constructor(text: string, { padded = NONE, languageOf = ANY_LANGUAGE }: TemplateColumns = {}) {
    this.text = text;
    this.#padded = padded;
    this.#languageOf = languageOf;
    this.#parts = parseTemplate(text);
    this.columns = this.#parts.flatMap((part) => ('column' in part ? [part.column] : []));
    this.#escaped = escapedCharacters(this.#parts);
    this.#escapedPattern = patternOfCharacters(this.#escaped);
  }

  /** The literal text before the first placeholder. */
  get prefix(): string {
    const first = this.#parts[0];
    return first !== undefined && 'literal' in first ? first.literal : '';
  }

  /** The literal text after the last placeholder. */
  get suffix(): string {
    const last = this.#parts.at(-1);
    return last !== undefined && 'literal' in last ? last.literal : '';
  }

  /** The template without the names in its placeholders. */
  get shape(): string {
    return this.#parts.map((part) => ('literal' in part ? part.literal : '{}')).join('');
  }

  /** Whether any value of its columns is escaped in a cache key. */
  get escapesValues(): boolean {
    return this.columns.some(
      (column) => patternOf(this.#languageIn({ column })) !== patternOf(this.#languageOf(column)),
    );
  }

  /** A machine that accepts exactly the cache keys that the template can make. */
  get automaton(): Automaton {
    this.#automaton ??= automatonOf(this.#parts.map((part) => this.#languageIn(part)));
    return this.#automaton;
  }

  /** The cache key of `row`; null if a column that it needs is null or missing. */
  render(row: Row): string | null {
    let key = '';
    for (const part of this.#parts) {
      if ('literal' in part) {
        key += part.literal;
        continue;
      }
      const value = columnOf(row, part.column);
      if (value === null || value === undefined || typeof value === 'object') return null;
      const text = String(value);
      key += this.#encode(this.#padded.has(part.column) ? text.replace(/ +$/, '') : text);
    }
    return key;
  }

  /**
   * The columns' values in `cacheKey`, as text; null if this template does not make such a key. Inverse of `render`.
   */
  match(cacheKey: string): Record<string, string> | null {
    this.#pattern ??= this.#compile();
    const matched = this.#pattern.exec(cacheKey);
    if (matched === null) return null;
    const values: [column: string, value: string][] = [];
    for (const [index, column] of this.columns.entries()) {
      const value = decode(matched[index + 1] ?? '');
      if (value === null) return null;
      values.push([column, value]);
    }
    return Object.fromEntries(values);
  }

  #compile(): RegExp {
    const sources = this.#parts.map((part) => {
      const pattern = patternOf(this.#languageIn(part));
      return 'column' in part ? `(${pattern})` : pattern;
    });
    return new RegExp(`^${sources.join('')}$`, 'u');
  }

  #languageIn(part: Part): Language {
    if ('literal' in part) return { text: part.literal };
    return escapedLanguage(this.#languageOf(part.column), this.#escaped);
  }

  #encode(value: string): string {
    return value.replace(this.#escapedPattern, percentEncoded);
  }
}

/** Whether a cache key is one of those in question. */
export type CacheKeyTest = (cacheKey: string) => boolean;

/** Whether any of the templates makes the cache key. */
export const madeByAny =
  (templates: readonly CacheKeyTemplate[]): CacheKeyTest =>
  (cacheKey) =>
    templates.some((template) => template.match(cacheKey) !== null);

/** The language of the texts after escaping. */
function escapedLanguage(language: Language, escaped: ReadonlySet<string>): Language {
  if ('text' in language) {
    const text = [...language.text].map((each) =>
      escaped.has(each) ? percentEncoded(each) : each,
    );
    return { text: text.join('') };
  }
  if ('one' in language) {
    const found = [...escaped].filter((each) => has(language.one, codeOf(each)));
    if (found.length === 0) return language;
    const rest = found.reduce(
      (characters, each) => without(characters, codeOf(each)),
      language.one,
    );
    return { either: [{ one: rest }, ...found.map((each) => ({ text: percentEncoded(each) }))] };
  }
  const within = (each: Language): Language => escapedLanguage(each, escaped);
  if ('sequence' in language) return { sequence: language.sequence.map(within) };
  if ('either' in language) return { either: language.either.map(within) };
  return { many: within(language.many) };
}

const codeOf = (character: string): number => character.codePointAt(0) ?? 0;

function decode(value: string): string | null {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return null;
  }
}

export { placeholderOf } from '@lockstep/shared';
