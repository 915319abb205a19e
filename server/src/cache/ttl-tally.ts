/**
 * What one sweep over the cache has counted, by resource: remaining lives, entries by state, entries without expiry.
 * Bounded by the number of configured resources.
 */
import type { TtlEvent } from '@lockstep/shared';
import { keyFromCacheKey, type Key, type Resource } from '../domain/index.ts';

type ResourceTtl = TtlEvent['resources'][number];
type EntryState = keyof ResourceTtl['entries'];
/** States in which an entry has an expiry, if it is Lockstep's. */
export type ExpiringState = Exclude<EntryState, 'intent'> | 'corrupt';

/** The number of equal buckets up to the longest life that jitter can give. One more bucket counts longer lives. */
const BUCKET_STEPS = 10;
const MAX_KEYS_WITHOUT_TTL = 20;

interface Tally {
  resource: Resource;
  upToMs: readonly number[];
  buckets: number[];
  /** Entries with an expiry. `read`: how many of them were read, by state. */
  expiring: number;
  read: Record<EntryState, number>;
  /** Entries without expiry, by state. All of them are read. */
  lasting: Record<EntryState, number>;
  withoutTtl: number;
  withoutTtlKeys: string[];
}

const noEntries = (): Record<EntryState, number> => ({
  value: 0,
  lease: 0,
  intent: 0,
  tombstone: 0,
});

/** Finds the resource that a cache key belongs to by the template's prefix; the longest prefix wins. */
export class ResourceMatcher {
  readonly #byPrefix: readonly Resource[];

  constructor(resources: Iterable<Resource>) {
    const length = (resource: Resource): number => resource.cacheKey.prefix.length;
    this.#byPrefix = [...resources].sort((a, b) => length(b) - length(a));
  }

  /** The resource whose template the cache key has, or null. */
  resourceOf(cacheKey: string): Resource | null {
    for (const resource of this.#byPrefix) {
      if (!cacheKey.startsWith(resource.cacheKey.prefix)) continue;
      if (resource.cacheKey.match(cacheKey) !== null) return resource;
    }
    return null;
  }

  /** The key that the cache key stands for, or null where no resource has it. */
  keyOf(cacheKey: string): Key | null {
    for (const resource of this.#byPrefix) {
      const key = keyFromCacheKey(resource, cacheKey);
      if (key !== null) return key;
    }
    return null;
  }
}

export class TtlTally {
  readonly #tallies = new Map<Resource, Tally>();
  /** How many keys were met, of any kind. */
  keys = 0;

  constructor(resources: Iterable<Resource>) {
    for (const resource of resources) {
      const upToMs = bucketBounds(resource);
      this.#tallies.set(resource, {
        resource,
        upToMs,
        buckets: Array.from({ length: upToMs.length + 1 }, () => 0),
        expiring: 0,
        read: noEntries(),
        lasting: noEntries(),
        withoutTtl: 0,
        withoutTtlKeys: [],
      });
    }
  }

  /** An entry that expires in `ttlMs`. */
  countExpiring(resource: Resource, ttlMs: number): void {
    const tally = this.#tallies.get(resource);
    if (tally === undefined) return;
    tally.expiring += 1;
    const found = tally.upToMs.findIndex((upToMs) => ttlMs <= upToMs);
    const index = found < 0 ? tally.upToMs.length : found;
    tally.buckets[index] = (tally.buckets[index] ?? 0) + 1;
  }

  /** The state of one expiring entry that was read. `corrupt` ones count as values. */
  countState(resource: Resource, state: EntryState | 'corrupt'): void {
    const tally = this.#tallies.get(resource);
    if (tally !== undefined) tally.read[state === 'corrupt' ? 'value' : state] += 1;
  }

  countIntent(resource: Resource): void {
    const tally = this.#tallies.get(resource);
    if (tally !== undefined) tally.lasting.intent += 1;
  }

  /** An entry that has no expiry although it is not an intent. */
  countWithoutTtl(resource: Resource, cacheKey: string, state: ExpiringState): void {
    const tally = this.#tallies.get(resource);
    if (tally === undefined) return;
    tally.lasting[state === 'corrupt' ? 'value' : state] += 1;
    tally.withoutTtl += 1;
    if (tally.withoutTtlKeys.length < MAX_KEYS_WITHOUT_TTL) tally.withoutTtlKeys.push(cacheKey);
  }

  /** The counts so far. States of expiring entries are extrapolated from those that were read. */
  report(): ResourceTtl[] {
    return [...this.#tallies.values()].map((tally) => ({
      resource: tally.resource.name,
      ttlMs: tally.resource.ttlMs,
      buckets: tally.buckets.map((count, index) => ({
        upToMs: tally.upToMs[index] ?? null,
        count,
      })),
      entries: extrapolated(tally),
      withoutTtl: tally.withoutTtl,
      withoutTtlKeys: [...tally.withoutTtlKeys],
    }));
  }
}

function bucketBounds({ ttlMs, ttlJitter }: Resource): number[] {
  const longestMs = ttlMs * (1 + ttlJitter);
  const step = (index: number): number => Math.round((longestMs * (index + 1)) / BUCKET_STEPS);
  return Array.from({ length: BUCKET_STEPS }, (_, index) => step(index));
}

function extrapolated({ read, expiring, lasting }: Tally): Record<EntryState, number> {
  const sampled = read.value + read.lease + read.intent + read.tombstone;
  const scale = sampled === 0 ? 0 : expiring / sampled;
  const lease = Math.round(read.lease * scale);
  const intent = Math.round(read.intent * scale);
  const tombstone = Math.round(read.tombstone * scale);
  return {
    // Values are the rest, so that the states add up to the number of entries.
    value: Math.max(0, expiring - lease - intent - tombstone) + lasting.value,
    lease: lease + lasting.lease,
    intent: intent + lasting.intent,
    tombstone: tombstone + lasting.tombstone,
  };
}
