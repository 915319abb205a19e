/** What tells the entries of one cluster, resource and definition from all others. */
import { createHash } from 'node:crypto';
import { isDerived, isQuery } from './derived-query.ts';
import type { Resource } from './resource.ts';
import { isLocalTime } from './time-zone.ts';

const columnDigests = new WeakMap<Resource['columns'], string>();

/** Twelve hexadecimal digits that change with the name or type of any column. */
export function columnsDigest({ columns }: Pick<Resource, 'columns'>): string {
  let digest = columnDigests.get(columns);
  if (digest === undefined) {
    digest = digestOf(
      columns.map(({ name, sqlType, type }) => [
        name,
        isLocalTime(type) ? `${sqlType} of ${type}` : sqlType,
      ]),
    );
    columnDigests.set(columns, digest);
  }
  return digest;
}

/**
 * The owner in the header of an entry. It changes with everything that decides what a key's value is: a coordinator that
 * has not heard of a change yet may still fill, and no other one answers what it fills (D9, P8).
 */
export const entryOwner = (cluster: string, resource: Resource): string =>
  `${cluster}/${resource.name}#${digestOf([columnsDigest(resource), sourceOf(resource)])}`;

/** Where the values of a resource come from, and what its keys mean there. */
function sourceOf(resource: Resource): unknown {
  const key = resource.keyColumns.map(({ name, sqlType }) => [name, sqlType]);
  if (!isDerived(resource)) return { table: [resource.schema ?? '', resource.table], key };
  const { dependsOn } = resource.derivation;
  return {
    query: isQuery(resource) ? resource.derivation.source.text.source : null,
    key,
    dependsOn: dependsOn.map(({ table, columns }) => [table, columns.map(({ name }) => name)]),
  };
}

const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12);
