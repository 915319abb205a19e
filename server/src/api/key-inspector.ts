import { ERROR_CODES, type KeyEvent, type KeyInspection } from '@lockstep/shared';
import { sameJson } from '../audits/compare.ts';
import type { EntryStore, StoredEntry } from '../cache/port.ts';
import type { RowStore, VersionedRow } from '../database/port.ts';
import { isComputed, isUnderstood, type Key, LockstepError, siblingKeys } from '../domain/index.ts';
import type { LockService } from '../locks/port.ts';
import type { Router } from '../routing/index.ts';
import type { Clock } from '../runtime/index.ts';

export interface KeyInspectorOptions {
  rows: Pick<RowStore, 'read'>;
  entries: Pick<EntryStore, 'read' | 'ttlMs'>;
  locks: Pick<LockService, 'snapshot'>;
  router: Pick<Router, 'homeOf' | 'shownUrl'>;
  /** What happened to the key lately, newest first. */
  events(key: Key): KeyEvent[];
  instance: string;
  clock: Clock;
}

/** The two sides of a key as they were read one after the other. */
interface Sides {
  database: VersionedRow | null;
  cache: { stored: StoredEntry | null; ttlMs: number | null } | null;
}

/** Shows a key's row, entry, lock, home and recent events side by side. A server that does not answer leaves null. */
export function createKeyInspector(
  options: KeyInspectorOptions,
): (key: Key) => Promise<KeyInspection> {
  return async (key) => {
    const sides = await readSides(options, key);
    return {
      resource: key.resource.name,
      key: key.text,
      cacheKey: key.cacheKey,
      policy: key.resource.policy,
      database: sides.database,
      cache: sides.cache && describeEntry(key, sides.cache, options.clock.wallMs()),
      lock: lockOn(lockNames(key), options),
      home: homeOf(options, key),
      agrees: agrees(key, sides),
      events: options.events(key),
    };
  };
}

/** Reads again if the sides disagree: a write may have come between the two reads. */
async function readSides(options: KeyInspectorOptions, key: Key): Promise<Sides> {
  const first = await readOnce(options, key);
  return agrees(key, first) === false ? readOnce(options, key) : first;
}

async function readOnce({ rows, entries }: KeyInspectorOptions, key: Key): Promise<Sides> {
  const cache = await unlessDown(async () => {
    const [stored, ttlMs = null] = await Promise.all([
      entries.read(key.cacheKey),
      entries.ttlMs(key.cacheKey),
    ]);
    return { stored, ttlMs };
  });
  if (isComputed(key.resource)) return { cache, database: null };
  return { cache, database: await unlessDown(() => rows.read(key)) };
}

async function unlessDown<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    const isDown = error instanceof LockstepError && ERROR_CODES[error.code].reason === 'server';
    if (isDown) return null;
    throw error;
  }
}

/**
 * Null where a side is missing or not understood. Only a value can disagree: anything else sends readers to the
 * database.
 */
function agrees({ resource }: Key, { database, cache }: Sides): boolean | null {
  if (database === null || cache === null) return null;
  const entry = cache.stored?.entry;
  if (entry !== undefined && !isUnderstood(resource)) return null;
  if (entry?.state === 'corrupt') return false;
  if (entry?.state !== 'value') return true;
  return entry.version <= database.version && sameJson(entry.row, database.row);
}

function describeEntry(
  { resource }: Key,
  { stored, ttlMs }: NonNullable<Sides['cache']>,
  wallMs: number,
): NonNullable<KeyInspection['cache']> {
  if (stored === null) return { state: 'absent' };
  if (!isUnderstood(resource)) return { state: 'opaque', ttlMs };
  const { entry, text } = stored;
  const bytes = Buffer.byteLength(text);
  if (entry.state === 'corrupt') {
    const unknown = { version: null, fence: null, ageMs: null };
    return { state: 'corrupt', ...unknown, ttlMs, value: text.slice(0, 1000), bytes };
  }
  const isHeaded = stored.isRaw !== true;
  return {
    state: entry.state,
    version: isHeaded ? entry.version : null,
    fence: isHeaded ? entry.fence : null,
    // Two clocks: for people to look at, never to decide by.
    ageMs: isHeaded ? Math.max(0, wallMs - entry.writtenAtMs) : null,
    ttlMs,
    value: entry.state === 'value' ? entry.row : null,
    bytes,
  };
}

/** The key and the keys that share its row, as a lock names them. */
export const lockNames = (key: Key): { resource: string; text: string }[] =>
  [key, ...siblingKeys(key)].map(({ resource, text }) => ({ resource: resource.name, text }));

/** The lock that this process holds on any of the keys; null if it holds none. */
export function lockOn(
  names: readonly { resource: string; text: string }[],
  { locks, instance }: Pick<KeyInspectorOptions, 'locks' | 'instance'>,
): KeyInspection['lock'] {
  const held = locks
    .snapshot()
    .held.find((lock) =>
      names.some(({ resource, text }) => lock.resource === resource && lock.key === text),
    );
  if (held === undefined) return null;
  const { heldMs, leftMs, waiting, purpose, lease } = held;
  const leased = lease === undefined ? {} : { leaseLeftMs: lease.leftMs };
  return { instance, heldMs, leftMs, waiting, purpose, ...leased };
}

function homeOf({ router }: KeyInspectorOptions, key: Key): KeyInspection['home'] {
  const home = router.homeOf(key);
  return home && { instance: home.instance, url: router.shownUrl(home), isSelf: home.isSelf };
}
