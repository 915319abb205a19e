/**
 * Tags distinguish a row that another program has changed from the row that Lockstep left.
 *
 * A row's entity tag is `"VERSION"` if Lockstep changed it last, or if nothing has changed it since Lockstep has known
 * its table. It is `"VERSION-TAG"` if another program has changed it since: each such change gives another tag, and
 * Lockstep's next write gives the plain next version again.
 */

/** The tag of a row that another program has deleted. No existing row has it. */
export const GONE = '-';

/** An entity tag, as in `If-Match`. `tag` is absent if it is a plain version. */
export interface EntityTag {
  version: number;
  tag?: string;
}

const ENTITY_TAG = /^"(0|[1-9]\d{0,15})(?:-([0-9A-Za-z_-]{1,32}))?"$/;

/** The text of an entity tag, with its quotes. */
export const entityTagText = ({ version, tag }: EntityTag): string =>
  tag === undefined ? `"${version}"` : `"${version}-${tag}"`;

/** Null if the text is not an entity tag of a row. A weak one is not. */
export function parseEntityTag(text: string): EntityTag | null {
  const [, digits, tag] = ENTITY_TAG.exec(text) ?? [];
  const version = Number(digits ?? NaN);
  if (!Number.isSafeInteger(version)) return null;
  return tag === undefined ? { version } : { version, tag };
}

/** Whether text of a cache entry's header can be a tag. */
export const isRowTag = (tag: unknown): tag is string =>
  typeof tag === 'string' && /^[0-9A-Za-z_-]{1,32}$/.test(tag);
