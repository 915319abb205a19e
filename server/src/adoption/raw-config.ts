/** The configuration's fields, as a file has them. Pure. */
import type { ProposedResource } from './proposal.ts';

/** The servers that are there already. */
export interface NamedServers {
  database: string;
  /** Null: none was named. */
  cache: string | null;
  /** Empty: none was named. */
  locks: readonly string[];
}

export function rawConfig(
  { database, cache, locks }: NamedServers,
  resources: readonly ProposedResource[],
): object {
  return {
    database: { connection: database },
    cache: cache === null ? { mode: 'embedded' } : { url: cache },
    locks: locks.length === 0 ? { mode: 'embedded' } : { nodes: locks },
    resources: Object.fromEntries(resources.map((each) => [each.name, rawResource(each)])),
  };
}

export type RawProposal = ReturnType<typeof rawResource>;

/** The fields of one resource; undefined: left out. */
export function rawResource(resource: ProposedResource) {
  const { table, key, columns, cacheKey, format, ttlMs, invalidates } = resource;
  return {
    table,
    key,
    columns: columns ?? undefined,
    cacheKey,
    format: format === 'entry' ? undefined : format,
    ttl: ttlMs ?? undefined,
    policy: 'delete-after-write',
    invalidates: invalidates.length === 0 ? undefined : invalidates,
  };
}
