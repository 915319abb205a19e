/**
 * How a template such as `account:{id}` and the text of a row's key make a cache key. The coordinator and every reader of
 * entries must make the same one.
 *
 * Distinct values never have the same cache key. Some characters in values are percent-encoded (`%3A`), so that no
 * value can contain a separator: `%`, `:`, and each character between two placeholders that is not an ASCII letter or
 * digit. Which characters these are depends only on the template.
 */

/** A piece of a template: text that stands in each cache key, or the column whose value stands there. */
export type TemplatePart = { literal: string } | { column: string };

/** A placeholder for the column. A name that contains a brace or a double quote is put in double quotes. */
export const placeholderOf = (column: string): string =>
  /[{}"]/.test(column) ? `{"${column.replaceAll('"', '""')}"}` : `{${column}}`;

const TOKENS = /\{"(?:[^"]|"")+"\}|\{[^{}]*\}|[^{}]+|[{}]/g;

/** @throws Error with what is wrong where braces don't match or a placeholder is empty */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  for (const token of text.match(TOKENS) ?? []) {
    if (token === '{' || token === '}') throw new Error('has a brace without its partner');
    if (!token.startsWith('{')) parts.push({ literal: token });
    else if (token === '{}') throw new Error('has an empty placeholder');
    else if (parts.length > 0 && 'column' in (parts.at(-1) ?? {}))
      throw new Error('has two placeholders with nothing between them');
    else parts.push({ column: columnIn(token) });
  }
  if (!parts.some((part) => 'column' in part)) throw new Error('has no placeholder');
  return parts;
}

function columnIn(placeholder: string): string {
  const name = placeholder.slice(1, -1);
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/** The characters that values must not contain in a cache key: `%`, `:`, and those of separators. */
export function escapedCharacters(parts: readonly TemplatePart[]): Set<string> {
  const isColumn = (part: TemplatePart): boolean => 'column' in part;
  const between = parts.slice(parts.findIndex(isColumn), parts.findLastIndex(isColumn));
  const literals = between.flatMap((part) => ('literal' in part ? [...part.literal] : []));
  return new Set(['%', ':', ...literals.filter((character) => !/[A-Za-z0-9]/.test(character))]);
}

/** Finds every character of the set in a text. */
export function patternOfCharacters(characters: ReadonlySet<string>): RegExp {
  const codes = [...characters].map(
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  return new RegExp(`[${codes.join('')}]`, 'gu');
}

/** Each byte of the character in UTF-8 as `%XX`. */
export function percentEncoded(character: string): string {
  const bytes = [...new TextEncoder().encode(character)];
  return bytes.map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}
