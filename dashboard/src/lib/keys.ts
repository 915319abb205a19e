/** Keys as operators type them, as the address carries them, and as the API takes them. Pure functions. */

/**
 * A key of a resource. `key` is its canonical text: the parts joined by `,`, in which `%` and `,` of a part
 * itself are percent-encoded and nothing else is.
 */
export interface KeyRef {
  resource: string;
  key: string;
}

/** The address of a key's page. */
export function keyHref(ref: KeyRef): string {
  return `#/key?${new URLSearchParams({ resource: ref.resource, key: ref.key }).toString()}`;
}

/** A key's canonical text as a path of the API takes it: each part percent-encoded whole, bare commas between. */
export function keyPath(key: string): string {
  return key
    .split(',')
    .map((part) => encodeURIComponent(part.replace(/%25|%2C/g, decodeURIComponent)))
    .join(',');
}

/** A key for reading: what would not be seen, or would turn the text around it, is shown as its code point. */
export function keyText(key: string): string {
  return key.replace(/\p{C}/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/**
 * Reads what was typed into the key search: `account/42`, `account:42`, `account 42`, or `42` alone, which
 * means `fallback`'s key 42. Null where nothing can be meant.
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
