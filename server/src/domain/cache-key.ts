import type { Row } from '@lockstep/shared';

const NONE: ReadonlySet<string> = new Set();

type Part = { literal: string } | { column: string };

/**
 * A template such as `account:{id}` that names a cache key by columns of a row.
 *
 * Distinct values never share a cache key: where a template has several placeholders, `%` and every character that
 * stands in the literals between them is percent-encoded inside a value. With one placeholder values stand as they are.
 */
export class CacheKeyTemplate {
  readonly text: string;
  readonly columns: readonly string[];
  readonly #parts: Part[];
  readonly #reserved: Set<string>;
  readonly #padded: ReadonlySet<string>;

  /**
   * @param padded columns at whose end blanks mean nothing: their values stand in cache keys without them
   * @throws Error with what is wrong where braces don't match or a placeholder is empty
   */
  constructor(text: string, padded: ReadonlySet<string> = NONE) {
    this.text = text;
    this.#padded = padded;
    this.#parts = parseTemplate(text);
    this.columns = this.#parts.flatMap((part) => ('column' in part ? [part.column] : []));
    this.#reserved = reservedCharacters(this.#parts);
  }

  /** The literal text before the first placeholder. */
  get prefix(): string {
    const first = this.#parts[0];
    return first !== undefined && 'literal' in first ? first.literal : '';
  }

  /** The template with its placeholders' names left out: two templates of one shape can name the same cache key. */
  get shape(): string {
    return this.#parts.map((part) => ('literal' in part ? part.literal : '{}')).join('');
  }

  /** The cache key of `row`, or null where a column that it needs is null or missing. */
  render(row: Row): string | null {
    let key = '';
    for (const part of this.#parts) {
      if ('literal' in part) {
        key += part.literal;
        continue;
      }
      const value = row[part.column];
      if (value === null || value === undefined || typeof value === 'object') return null;
      const text = String(value);
      key += this.#encode(this.#padded.has(part.column) ? text.replace(/ +$/, '') : text);
    }
    return key;
  }

  /** The columns' values in `cacheKey`, as text; null where it is not of this template. Inverse of `render`. */
  match(cacheKey: string): Record<string, string> | null {
    const values: Record<string, string> = {};
    let at = 0;
    for (const [index, part] of this.#parts.entries()) {
      if ('literal' in part) {
        if (!cacheKey.startsWith(part.literal, at)) return null;
        at += part.literal.length;
        continue;
      }
      const next = this.#parts[index + 1];
      const isLast = next === undefined || index === this.#parts.length - 2;
      const end = literalEnd(cacheKey, at, next, isLast);
      if (end < at) return null;
      const value = this.#decode(cacheKey.slice(at, end));
      if (value === null) return null;
      values[part.column] = value;
      at = end;
    }
    return at === cacheKey.length ? values : null;
  }

  #encode(value: string): string {
    if (this.#reserved.size === 0) return value;
    let encoded = '';
    for (const character of value) {
      encoded += this.#reserved.has(character) ? encodeURIComponent(character) : character;
    }
    return encoded;
  }

  #decode(value: string): string | null {
    if (this.#reserved.size === 0) return value;
    try {
      return value.replace(/(%[0-9A-F]{2})+/g, (sequence) => decodeURIComponent(sequence));
    } catch {
      return null;
    }
  }
}

function literalEnd(text: string, from: number, next: Part | undefined, isLast: boolean): number {
  if (next === undefined) return text.length;
  if (!('literal' in next)) return -1;
  return isLast ? text.length - next.literal.length : text.indexOf(next.literal, from);
}

function parseTemplate(text: string): Part[] {
  const parts: Part[] = [];
  for (const token of text.match(/\{[^{}]*\}|[^{}]+|[{}]/g) ?? []) {
    if (token === '{' || token === '}') throw new Error('has a brace without its partner');
    if (!token.startsWith('{')) parts.push({ literal: token });
    else if (token === '{}') throw new Error('has an empty placeholder');
    else if (parts.length > 0 && 'column' in (parts.at(-1) ?? {}))
      throw new Error('has two placeholders with nothing between them');
    else parts.push({ column: token.slice(1, -1) });
  }
  if (!parts.some((part) => 'column' in part)) throw new Error('has no placeholder');
  return parts;
}

function reservedCharacters(parts: Part[]): Set<string> {
  if (parts.filter((part) => 'column' in part).length < 2) return new Set();
  const first = parts.findIndex((part) => 'column' in part);
  const literals = parts
    .slice(first)
    .flatMap((part) => ('literal' in part ? [...part.literal] : []));
  return new Set(['%', ...literals]);
}
