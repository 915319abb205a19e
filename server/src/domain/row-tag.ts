/**
 * What tells a row that another program has changed from the row that Lockstep left.
 *
 * A row's entity tag is `"VERSION"` where Lockstep changed it last, or where nobody has changed it since Lockstep knows
 * its table. It is `"VERSION-TAG"` where another program changed it since: each such change makes another tag, and the
 * next write by Lockstep makes the plain next version.
 */

/** Where a row should be and another program deleted it: no tag of a row that is there. */
export const GONE = '-';

/** An entity tag, as `If-Match` names one. `tag` is absent in a plain version. */
export interface EntityTag {
  version: number;
  tag?: string;
}

const ENTITY_TAG = /^"(0|[1-9]\d{0,15})(?:-([0-9A-Za-z_-]{1,32}))?"$/;

/** The text of an entity tag, with its quotes. */
export const entityTagText = ({ version, tag }: EntityTag): string =>
  tag === undefined ? `"${version}"` : `"${version}-${tag}"`;

/** Null where the text is no entity tag of a row; a weak one is none. */
export function parseEntityTag(text: string): EntityTag | null {
  const [, digits, tag] = ENTITY_TAG.exec(text) ?? [];
  const version = Number(digits ?? NaN);
  if (!Number.isSafeInteger(version)) return null;
  return tag === undefined ? { version } : { version, tag };
}

/** Whether text of a cache entry's header can be a tag. */
export const isRowTag = (tag: unknown): tag is string =>
  typeof tag === 'string' && /^[0-9A-Za-z_-]{1,32}$/.test(tag);
