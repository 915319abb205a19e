/** What the writer and the recovery of `strict` have in common: what each server does in one step. */
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
  /** A publish compares. */
  comparedPublish: boolean;
  /** A refused write stores its fence before its intent goes. */
  fenceOnRefusal: boolean;
  /** The cache keeps an intent until somebody removes it. */
  lastingIntent: boolean;
  /** The cache server's clock never gives the same time twice: fences differ also where the cache forgot the last one. */
  clock: boolean;
  /** An intent names its holder, so that two holders with the same fence are never confused. */
  namedIntent: boolean;
  /** The transaction holds the row, looks for its intent again, then commits; one who may fill waits for it. */
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
 * Mints a fence above the entry's and `me.fence`, and by the cache server's clock; puts the intent, whatever is there.
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

/** Whether the intent in the cache is this holder's, as far as the holder can know. */
export function isOwnIntent(
  { cache }: World,
  me: Memory,
  holder: string,
  parts: Protections,
): boolean {
  if (cache.state !== 'intent' || cache.fence !== me.fence) return false;
  return !parts.namedIntent || cache.value === holder;
}

/** After the database refused this fence: once more above it, or leave the intent to a recovery. */
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

/** Step 4: replaces its own intent, never a newer one and never a newer version; where its intent is gone, a tombstone. */
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
 * Ends a hold, in the step that answers the caller. A later release would be one of a lock that has expired by then, or
 * has not; both are explored.
 */
export function release(world: World, holder: string, note = ''): Next {
  if (world.lock === holder) world.lock = '';
  return done(note);
}
