/** Steps that the writer and the recovery of `strict` have in common. */
import { done, type Draft, go, type Memory, type Next } from '../model/process.ts';
import { type Database, entry, type Value, type World } from '../model/world.ts';

/** The parts of the protocol. */
export interface Protections {
  /** The database refuses a fence that is not above the highest one it has seen. */
  databaseFence: boolean;
  /** A write leaves its intent before its transaction. */
  intent: boolean;
  /** A reader fills only under its lease. */
  lease: boolean;
  /** A publish replaces only its own intent, and nothing newer. */
  comparedPublish: boolean;
  /** A refused write stores its fence before its intent is removed. */
  fenceOnRefusal: boolean;
  /** The cache keeps an intent until somebody removes it. */
  lastingIntent: boolean;
  /**
   * The cache server's clock never gives the same time twice, so fences differ even if the cache has lost the last one.
   */
  clock: boolean;
  /** An intent names its holder, so that two holders with the same fence are never confused. */
  namedIntent: boolean;
  /** The transaction locks the row, checks for its intent again, then commits. A reader that may fill waits for it. */
  verifiedIntent: boolean;
}

export const WHOLE: Protections = {
  databaseFence: true,
  intent: true,
  lease: true,
  comparedPublish: true,
  fenceOnRefusal: true,
  lastingIntent: true,
  clock: false,
  namedIntent: true,
  verifiedIntent: false,
};

/** How many fences one holder mints before it gives up. */
export const MAX_MINTS = 2;

export const isLockFree = ({ lock }: World): boolean => lock === '';
export const isRowFree = ({ database }: World): boolean => database.lockedBy === '';

/**
 * Mints a fence above the entry's and `me.fence`, by the cache server's clock, and replaces whatever is there by the
 * intent.
 */
export function placeIntent(world: Draft, me: Memory, holder: string, parts: Protections): void {
  const { version, fence } = world.cache;
  me.fence = Math.max(fence, me.fence, parts.clock ? world.clock : 0) + 1;
  me.mints += 1;
  if (parts.clock) world.clock = me.fence;
  if (!parts.intent) return;
  const value = parts.namedIntent ? holder : '';
  world.cache = entry('intent', { version, fence: me.fence, value });
}

/** Whether the intent in the cache looks like this holder's to the holder. */
export function isOwnIntent(
  { cache }: World,
  me: Memory,
  holder: string,
  parts: Protections,
): boolean {
  if (cache.state !== 'intent' || cache.fence !== me.fence) return false;
  return !parts.namedIntent || cache.value === holder;
}

/** After the database has refused the fence: tries again with a higher one, or leaves the intent to a recovery. */
export function fenced(world: World, me: Memory, holder: string): Next {
  me.fence = world.database.fence;
  return me.mints < MAX_MINTS ? go('mark', 'fenced') : release(world, holder, 'fenced; gives up');
}

export const isFenced = ({ database }: World, me: Memory, { databaseFence }: Protections) =>
  databaseFence && database.fence >= me.fence;

export const withFence = (database: Database, fence: number): Database => ({
  ...database,
  fence: Math.max(database.fence, fence),
});

/**
 * Step 4: replaces its own intent, but no newer intent and no newer version. Leaves a tombstone if its intent is gone.
 */
export function publish(
  world: Draft,
  me: Memory,
  holder: string,
  value: Value,
  parts: Protections,
): void {
  const { version, fence } = me;
  const { cache } = world;
  if (!parts.comparedPublish || isOwnIntent(world, me, holder, parts)) {
    world.cache = entry('value', { value, version, fence });
    return;
  }
  if (cache.state === 'intent') return;
  const isNewer = cache.state === 'value' || cache.state === 'tombstone';
  if (isNewer && cache.version >= version) return;
  world.cache = entry('tombstone', { version, fence: Math.max(cache.fence, fence) });
}

/**
 * Releases the lock in the step that answers the caller. A later release would only differ in whether the lock has
 * expired by then, and both cases are explored anyway.
 */
export function release(world: World, holder: string, note = ''): Next {
  if (world.lock === holder) world.lock = '';
  return done(note);
}
