/**
 * Computed resources: values that a loader of the caller's makes, cached under read leases.
 *
 * What stands in the cache decides (docs/read-protocol.md, RP12 to RP14):
 *   a value within its TTL          is answered; one that ends soon is loaded anew in the background
 *   nothing, a tombstone            a lease is left, the loader runs, and its answer is filled if the lease still stands
 *   a value past its TTL            the same, with the lease in it: it is answered if the loader fails
 *   a lease of this process's       its load is joined
 *   a lease of another process's    it is waited for; after `waitMs` the loader runs, and nothing is filled
 *   no answer of the cache          the loader runs, and nothing is filled
 */
import {
  type CatalogResource,
  drawTtlMs,
  type EntryLife,
  parseJson,
} from '@lockstep/shared/for-clients';
import { ComputedCaller } from './computed-caller.ts';
import { bodyOfValue, type ComputedValue, readComputedEntry } from './computed-entry.ts';
import type { EntryPlace } from './ports.ts';
import type { ReadableResource, ResourceCatalog } from './catalog.ts';
import { invalidArgument, LockstepError } from './errors.ts';
import { type ClientEvents, tell } from './events.ts';
import type { Gate } from './gate.ts';
import { argumentText, keyText } from './json.ts';
import { Loads, type LoadCaller } from './loads.ts';
import type { CachePort } from './ports.ts';
import type { ClientRuntime } from './runtime.ts';
import type { ComputedOptions, ComputedResult, Key, Loader } from './types.ts';

/** The largest value that is cached, in bytes of its JSON. */
const MAX_VALUE_BYTES = 1024 * 1024;
const LOAD_TIMEOUT_MS = 10_000;
const WAIT_MS = 1_000;
/** Bound on the wait of a first call for what the coordinator says of its resources. */
const CATALOG_WAIT_MS = 1_000;
/** A lease outlives its loader by this, so that the answer of a slow one can still be filled. */
const LEASE_MARGIN_MS = 1_000;
/** Between two looks at another's lease. */
const FIRST_PAUSE_MS = 5;
const MAX_PAUSE_MS = 50;

export interface ComputedDependencies {
  catalog: ResourceCatalog;
  /** Null: nothing is cached. */
  cache: CachePort | null;
  gate: Gate;
  timeoutMs: number;
  runtime: ClientRuntime;
}

interface Asked {
  resource: string;
  key: Key;
  load: Loader<Key, unknown>;
  options: ComputedOptions;
}

/** Where a key's value is cached. */
interface Place extends EntryPlace {
  cache: CachePort;
  life: EntryLife;
}

type Found =
  | { state: 'unread' | 'missing' }
  | { state: 'leased'; leaseId: string }
  | { state: 'current'; value: ComputedValue; leftMs: number }
  | { state: 'ended'; value: ComputedValue; sinceMs: number };

/** What a call has found in the cache. */
interface Seen {
  place: Place;
  found: Found;
}

export class Computed {
  readonly #dependencies: ComputedDependencies;
  readonly #loads: Loads;
  /** Leases that are being taken, by cache key. */
  readonly #taking = new Map<string, Promise<string | null | undefined>>();

  constructor(dependencies: ComputedDependencies) {
    this.#dependencies = dependencies;
    this.#loads = new Loads(dependencies.runtime);
  }

  /** @throws LockstepError `UNKNOWN_RESOURCE`, `INVALID`, `TIMEOUT`, `ABORTED`; what the loader throws passes as it is */
  async get(asked: Asked): Promise<ComputedResult<unknown>> {
    checkOptions(asked.options);
    const { timeoutMs, signal } = asked.options;
    const isBounded = timeoutMs !== undefined || signal !== undefined;
    if (!isBounded && this.#dependencies.catalog.isKnown) {
      const place = this.#place(asked);
      if (place !== null) {
        const found = await this.#find(place, asked.options);
        if (found.state === 'current') return this.#hit(place, asked, found);
        return this.#bounded(asked, { place, found });
      }
    }
    return this.#bounded(asked);
  }

  async #bounded(asked: Asked, seen: Seen | null = null): Promise<ComputedResult<unknown>> {
    const { timeoutMs = this.#dependencies.timeoutMs, signal } = asked.options;
    const caller = new ComputedCaller(timeoutMs, signal, this.#dependencies.runtime);
    try {
      return await Promise.race([caller.gaveUp, this.#answer(asked, caller, seen)]);
    } finally {
      caller.end();
    }
  }

  async #answer(
    asked: Asked,
    caller: ComputedCaller,
    seen: Seen | null,
  ): Promise<ComputedResult<unknown>> {
    const { catalog } = this.#dependencies;
    if (!catalog.isKnown) await Promise.race([catalog.refresh(), caller.pause(CATALOG_WAIT_MS)]);
    const place = seen?.place ?? this.#place(asked);
    if (place === null) return this.#unfilled(asked, caller);
    try {
      return await this.#fromPlace(place, asked, caller, seen?.found);
    } catch (error) {
      const kept = caller.isOver ? null : await this.#kept(place, asked);
      if (kept === null) throw error;
      return kept;
    }
  }

  /** Null where nothing can be cached now. */
  #place({ resource, key }: Asked): Place | null {
    const { catalog, cache } = this.#dependencies;
    const known = catalog.resource(resource);
    if (known === undefined) {
      if (!catalog.isKnown) return null;
      throw new LockstepError('UNKNOWN_RESOURCE', 'No resource of this name is configured.');
    }
    const life = lifeOf(known);
    const readable = catalog.readable(resource);
    if (cache === null || readable === undefined || !cache.connection.isUp) return null;
    return { cache, life, owner: readable.owner, cacheKey: cacheKeyOf(readable, key) };
  }

  async #fromPlace(
    place: Place,
    asked: Asked,
    caller: ComputedCaller,
    first?: Found,
  ): Promise<ComputedResult<unknown>> {
    let seen = first;
    const { runtime } = this.#dependencies;
    const waitUntilMs = runtime.nowMs() + (asked.options.waitMs ?? WAIT_MS);
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      if (caller.isOver) return caller.gaveUp;
      const found = seen ?? (await this.#find(place, asked.options));
      seen = undefined;
      if (found.state === 'current') return this.#hit(place, asked, found);
      const mark = markIn(found);
      const running = mark === null ? null : this.#loads.marked(place.cacheKey, mark);
      if (running !== null) return loaded(await running.join(caller));
      const taken = await this.#takeIfFree(place, asked, found);
      if (taken === undefined) return this.#unfilled(asked, caller);
      if (taken !== null) return loaded(await this.#filling(place, asked, taken).join(caller));
      if (runtime.nowMs() >= waitUntilMs)
        return mark === null
          ? this.#unfilled(asked, caller)
          : loaded(await this.#beside(place, asked, mark).join(caller));
      await caller.pause(Math.min(pauseMs, waitUntilMs - runtime.nowMs()));
    }
  }

  async #find(place: Place, options: ComputedOptions, mustTime = false): Promise<Found> {
    const { staleIfErrorMs = 0, refreshAheadMs = 0 } = options;
    const needsLife = mustTime || staleIfErrorMs > 0 || refreshAheadMs > 0;
    const { text, leftMs } = await readOnce(place, needsLife);
    if (text === undefined) return { state: 'unread' };
    const entry = readComputedEntry(text, place.owner);
    if (entry.state !== 'value') return entry;
    // Filled for a caller with other options.
    if (entry.graceMs > 0 && !needsLife) return this.#find(place, options, true);
    // It was not told how long a value lives on that may be past its TTL.
    if (leftMs === undefined && entry.graceMs > 0) return { state: 'unread' };
    if (leftMs === undefined || leftMs < 0)
      return { state: 'current', value: entry, leftMs: Infinity };
    const lifeMs = leftMs - entry.graceMs;
    return lifeMs > 0
      ? { state: 'current', value: entry, leftMs: lifeMs }
      : { state: 'ended', value: entry, sinceMs: -lifeMs };
  }

  #hit(
    place: Place,
    asked: Asked,
    { value, leftMs }: Extract<Found, { state: 'current' }>,
  ): ComputedResult<unknown> {
    told(asked, 'hit');
    const isDue = leftMs <= (asked.options.refreshAheadMs ?? 0);
    if (isDue && value.leaseId === null) this.#refresh(place, asked);
    return result(value.text, 'cache');
  }

  /** Loads a value anew before it ends. Nobody waits for it: it fails silently. */
  #refresh(place: Place, asked: Asked): void {
    const { gate } = this.#dependencies;
    if (this.#loads.isLoading(place.cacheKey)) return;
    const dueMs = asked.options.refreshAheadMs ?? 0;
    const refreshed = async (): Promise<void> => {
      const taken = await this.#take(place, asked, dueMs);
      if (typeof taken === 'string') await this.#filling(place, asked, taken).join(NOBODY);
    };
    void gate.pass(refreshed).catch(() => told(asked, 'failed'));
  }

  /** What is still kept of a value past its TTL, where a loader has failed and the caller would have it. */
  async #kept(place: Place, asked: Asked): Promise<ComputedResult<unknown> | null> {
    const { staleIfErrorMs = 0 } = asked.options;
    if (staleIfErrorMs === 0) return null;
    const found = await this.#find(place, asked.options);
    if (found.state === 'current') return result(found.value.text, 'cache');
    if (found.state !== 'ended' || found.sinceMs > staleIfErrorMs) return null;
    told(asked, 'stale');
    return { ...result(found.value.text, 'cache'), stale: true };
  }

  /** The id of the lease that stands now; null where another stands; undefined where the cache does not answer. */
  #takeIfFree(place: Place, asked: Asked, found: Found): Promise<string | null | undefined> {
    if (found.state === 'unread') return Promise.resolve(undefined);
    if (found.state === 'leased') return Promise.resolve(null);
    return this.#take(place, asked, found.state === 'ended' ? 0 : null);
  }

  /**
   * Callers of one moment share the lease: its load has not begun when they join.
   * @param dueMs over a value with at most so much left; null: where there is none
   */
  #take(place: Place, asked: Asked, dueMs: number | null): Promise<string | null | undefined> {
    const { cacheKey } = place;
    const found = this.#taking.get(cacheKey);
    if (found !== undefined) return found;
    const taking = this.#takeNow(place, asked, dueMs).finally(() => this.#taking.delete(cacheKey));
    this.#taking.set(cacheKey, taking);
    return taking;
  }

  async #takeNow(
    place: Place,
    { options }: Asked,
    dueMs: number | null,
  ): Promise<string | null | undefined> {
    const { leases } = place.cache;
    const leaseId = this.#dependencies.runtime.newId();
    const ttlMs = (options.loadTimeoutMs ?? LOAD_TIMEOUT_MS) + LEASE_MARGIN_MS;
    const isTaken = await (dueMs === null
      ? leases.take(place, leaseId, ttlMs)
      : leases.takeOver(place, leaseId, ttlMs, dueMs));
    if (isTaken === null) return undefined;
    return isTaken ? leaseId : null;
  }

  /** The load under a lease of this process's, whose answer is filled. */
  #filling(place: Place, asked: Asked, leaseId: string) {
    const { cacheKey, cache } = place;
    const running = this.#loads.marked(cacheKey, leaseId);
    if (running !== null) return running;
    const work = async (signal: AbortSignal): Promise<string> => {
      let text: string;
      try {
        text = await runLoader(asked, signal);
      } catch (error) {
        await cache.leases.drop(place, leaseId);
        throw error;
      }
      await this.#fill(place, asked, leaseId, text);
      return text;
    };
    return this.#loads.startMarked(cacheKey, leaseId, work, loadTimeoutMs(asked));
  }

  async #fill(place: Place, asked: Asked, leaseId: string, text: string): Promise<void> {
    const { cache, life } = place;
    const body = bodyOfValue(text);
    if (Buffer.byteLength(body) > MAX_VALUE_BYTES) {
      told(asked, 'too-large');
      await cache.leases.drop(place, leaseId);
      return;
    }
    const ttlMs = drawTtlMs(life, text === 'null', this.#dependencies.runtime.random());
    const graceMs = asked.options.staleIfErrorMs ?? 0;
    told(asked, await cache.leases.fill(place, leaseId, { body, ttlMs, graceMs }));
  }

  /** The load under another process's lease: it has taken too long. */
  #beside({ cacheKey }: Place, asked: Asked, mark: string) {
    const running = this.#loads.marked(cacheKey, mark);
    if (running !== null) return running;
    told(asked, 'unfilled');
    const work = (signal: AbortSignal): Promise<string> => runLoader(asked, signal);
    return this.#loads.startMarked(cacheKey, mark, work, loadTimeoutMs(asked));
  }

  async #unfilled(asked: Asked, caller: LoadCaller): Promise<ComputedResult<unknown>> {
    told(asked, 'unfilled');
    const name = `${asked.resource} ${keyText(asked.key)}`;
    const work = (signal: AbortSignal): Promise<string> => runLoader(asked, signal);
    return loaded(await this.#loads.unmarked(name, work, loadTimeoutMs(asked)).join(caller));
  }
}

/** Waits for a load without a bound of its own. */
const NOBODY: LoadCaller = { onEnd: () => undefined };

const loadTimeoutMs = ({ options }: Asked): number => options.loadTimeoutMs ?? LOAD_TIMEOUT_MS;

function checkOptions(options: ComputedOptions): void {
  const { loadTimeoutMs: load, staleIfErrorMs, refreshAheadMs, waitMs } = options;
  const given = { loadTimeoutMs: load, staleIfErrorMs, refreshAheadMs, waitMs };
  for (const [name, value] of Object.entries(given))
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0))
      throw invalidArgument(name, 'must be a whole number of milliseconds, 0 or more');
}

/** @throws LockstepError `INVALID` where a loader has no place there */
function lifeOf({ name, kind, life }: CatalogResource): EntryLife {
  if (kind === 'computed' && life !== undefined) return life;
  throw invalidArgument('resource', `must be a computed one; ${name} is of kind ${kind}`);
}

/** @throws LockstepError `INVALID` */
function cacheKeyOf({ keys, key: parts }: ReadableResource, key: Key): string {
  const found = keys.of(key);
  if (found !== null) return found.cacheKey;
  const wanted = parts.map(({ name, type }) => `${name} (${type})`).join(', ');
  throw invalidArgument('key', `must have the parameters ${wanted}`);
}

interface Reading {
  text: string | null | undefined;
  leftMs: number | undefined;
}

const readOnce = ({ cache, cacheKey }: Place, needsLife: boolean): Promise<Reading> =>
  new Promise((resolve) => {
    cache.reads.add({
      ...{ cacheKeys: [cacheKey], needsLife },
      entriesRead: (texts, from, leftMs) => resolve({ text: texts[from], leftMs }),
    });
  });

function markIn(found: Found): string | null {
  if (found.state === 'leased') return found.leaseId;
  return found.state === 'ended' ? found.value.leaseId : null;
}

/** What the loader answers, as JSON. What it throws passes as it is. */
async function runLoader({ key, load }: Asked, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  const value = await Promise.race([load(key, { signal }), aborted]);
  return value === undefined ? 'null' : argumentText('the value that the loader answered', value);
}

const loaded = (text: string): ComputedResult<unknown> => result(text, 'loader');

/** Each caller gets a copy of its own. */
const result = (text: string, source: ComputedResult['source']): ComputedResult<unknown> => ({
  value: parseJson(text),
  source,
});

const told = ({ resource }: Asked, event: ClientEvents['lockstep:computed']['event']): void =>
  tell('lockstep:computed', { resource, event });
