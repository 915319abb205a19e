import {
  type CatalogResource,
  escapedCharacters,
  type JsonValue,
  jsonText,
  parseTemplate,
  patternOfCharacters,
  percentEncoded,
} from '@lockstep/shared';

export interface EntryParts {
  state?: string;
  version?: number;
  owner?: string;
  /** More fields of the header. */
  more?: Record<string, unknown>;
  body?: JsonValue;
  /** In the place of `body`: its text, as it is to stand. */
  bodyText?: string;
}

/** An entry's text. Without more said, it is a value of this resource, at version 1. */
export function entryText(
  { owner: own }: Pick<CatalogResource, 'owner'>,
  { state = 'value', version = 1, owner = own, more = {}, body = null, bodyText }: EntryParts,
): string {
  const header = { s: state, v: version, f: 1, t: Date.now(), o: owner, ...more };
  return `${JSON.stringify(header)}\n${bodyText ?? jsonText(body)}`;
}

/** The cache key of a key whose parts' texts are these. */
export function cacheKeyOf(
  { key, cacheKey }: Pick<CatalogResource, 'key' | 'cacheKey'>,
  texts: readonly string[],
): string {
  const template = parseTemplate(cacheKey);
  const escaped = patternOfCharacters(escapedCharacters(template));
  return template
    .map((piece) => {
      if ('literal' in piece) return piece.literal;
      const at = key.findIndex(({ name }) => name === piece.column);
      return (texts[at] ?? '').replace(escaped, percentEncoded);
    })
    .join('');
}
