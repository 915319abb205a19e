import type { CacheConnection } from './redis-connection.ts';

/** The text at an entry's key, of either format; null where nothing is cached. */
export async function entryText(
  connection: CacheConnection,
  cacheKey: string,
): Promise<string | null> {
  try {
    // GETEX without an option only reads, and a replica refuses it.
    return await connection.run((client) => client.getex(cacheKey));
  } catch (error) {
    // A list or hash under an entry's key reads as a corrupt entry; the next step on it replaces it.
    if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return '';
    throw error;
  }
}

/** Remaining life in ms; null: no expiry; undefined: nothing there. */
export async function remainingLifeMs(
  connection: CacheConnection,
  cacheKey: string,
): Promise<number | null | undefined> {
  const ttlMs = await connection.run((client) => client.pttl(cacheKey));
  if (ttlMs === -2) return undefined;
  return ttlMs === -1 ? null : ttlMs;
}
