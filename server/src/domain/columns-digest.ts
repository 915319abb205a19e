import { createHash } from 'node:crypto';
import { isLocalTime } from './time-zone.ts';
import type { Resource } from './resource.ts';

const digests = new WeakMap<Resource['columns'], string>();

/** Twelve hexadecimal digits that change with the name or type of any column. */
export function columnsDigest({ columns }: Pick<Resource, 'columns'>): string {
  let digest = digests.get(columns);
  if (digest === undefined) {
    const all = JSON.stringify(
      columns.map(({ name, sqlType, type }) => [
        name,
        isLocalTime(type) ? `${sqlType} of ${type}` : sqlType,
      ]),
    );
    digest = createHash('sha256').update(all).digest('hex').slice(0, 12);
    digests.set(columns, digest);
  }
  return digest;
}

/** The owner in the header of an entry. */
export const entryOwner = (cluster: string, resource: Pick<Resource, 'name' | 'columns'>): string =>
  `${cluster}/${resource.name}#${columnsDigest(resource)}`;
