/** Keys as operators type them, as the address carries them, and as the API takes them. Pure functions. */

/**
 * A key of a resource. `key` is its canonical text: the parts joined by `,`. Within a part only `%` and `,` are
 * percent-encoded.
 */
export interface KeyRef {
  resource: string;
  key: string;
}

/** The address of a key's page. */
export function keyHref(ref: KeyRef): string {
  return `#/key?${new URLSearchParams({ resource: ref.resource, key: ref.key }).toString()}`;
}

/**
 * A key's canonical text for a path of the API: each part percent-encoded completely, with bare commas between them.
 */
export function keyPath(key: string): string {
  return key
    .split(',')
    .map((part) => encodeURIComponent(part.replace(/%25|%2C/g, decodeURIComponent)))
    .join(',');
}

/** A key for reading: invisible characters, and those that change the direction of text, are shown as code points. */
export function keyText(key: string): string {
  return key.replace(/\p{C}/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/**
 * Parses the text of the key search: `account/42`, `account:42`, `account 42`, or `42` alone, which means the key 42 of
 * `fallback`. Null if it cannot be a key.
 */
export function parseKeyQuery(
  text: string,
  resources: readonly string[],
  fallback: string | undefined,
): KeyRef | null {
  const query = text.trim();
  if (query === '') return null;
  for (const resource of resources) {
    const rest = query.slice(resource.length);
    if (query.startsWith(resource) && /^[\s/:]/.test(rest)) {
      const key = rest.slice(1).trim();
      if (key !== '') return { resource, key };
    }
  }
  const resource = fallback ?? resources[0];
  return resource === undefined ? null : { resource, key: query };
}
