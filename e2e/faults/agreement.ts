import type { Row } from '@lockstep/shared';
import type { ApiClient } from '../support/api-client.ts';
import { oneServer, type SideDoor } from '../support/side-door.ts';

/**
 * Compares every entry of a resource in Redis with its row in the database, directly. Answers one line for each that
 * disagrees: a value that is not the row, an intent that nobody resolves, text that is no entry, a value without end.
 */
export async function disagreements(
  behind: SideDoor,
  api: ApiClient,
  resource: string,
  table: string,
): Promise<string[]> {
  const found: string[] = [];
  for await (const keys of oneServer(behind.cache).scanStream({
    match: `${resource}:*`,
    count: 500,
  })) {
    for (const cacheKey of keys as string[]) {
      const fault = await disagreement(behind, api, { resource, table, cacheKey });
      if (fault !== null) found.push(`${cacheKey}: ${fault}`);
    }
  }
  return found;
}

async function disagreement(
  behind: SideDoor,
  api: ApiClient,
  { resource, table, cacheKey }: { resource: string; table: string; cacheKey: string },
): Promise<string | null> {
  const id = cacheKey.slice(resource.length + 1);
  const entry = await behind.entry(cacheKey);
  switch (entry?.state) {
    case undefined:
    case 'lease':
    case 'tombstone':
      return null;
    case 'intent':
      return 'an intent is still there';
    case 'corrupt':
      return `corrupt: ${entry.reason}`;
    case 'value': {
      if ((await behind.cache.pttl(cacheKey)) === -1) return 'a value without expiry';
      const [row] = await behind.sql(`SELECT * FROM ${table} WHERE id = ?`, [id]);
      const cached = entry.row === null ? undefined : asText(entry.row);
      if (JSON.stringify(cached) !== JSON.stringify(row)) {
        return `cached ${JSON.stringify(cached)}, in the database ${JSON.stringify(row)}`;
      }
      const primary = await api.get(resource, id, '?consistency=primary');
      const version = primary.body.version ?? entry.version;
      return version === entry.version
        ? null
        : `cached version ${entry.version}, in the database ${version}`;
    }
  }
}

const asText = (row: Row): Record<string, string | null> =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value === null || typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
