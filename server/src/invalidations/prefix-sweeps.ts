/**
 * The calls that name many rows: the entries are found by a pass over the cache's keys.
 *
 * States of a call: asked -> swept (a pass that began after it has ended). One pass serves all calls that were asked for
 * before it began. A call's row stays in the database until it is swept, so that another process begins anew if this one
 * dies.
 *
 * Invariants
 *   - one pass at a time
 *   - a call is reported as swept only after a whole pass that began after it was asked for
 */
import { type EntryScanner, type EntryStore, invalidateMatching } from '../cache/index.ts';
import {
  type CacheKeyTest,
  cacheKeysOf,
  type KeyPrefix,
  prefixName,
  type Resource,
} from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { PrefixCall } from './plan.ts';

const RETRY_MS = 250;
/** If a pass has more prefixes of one resource than this, it takes the whole resource: each cache key is compared with all. */
const MAX_PREFIXES = 64;

export interface PrefixSweepsOptions {
  scanner: Pick<EntryScanner, 'scan'>;
  entries: Pick<EntryStore, 'invalidateMany'>;
  /** Tells clients to forget these resources: their memory may have entries that the cache has evicted. */
  forgetLocal: (resources: readonly string[]) => Promise<void>;
  runtime: Pick<Runtime, 'timers' | 'log'>;
  onSwept: (calls: readonly PrefixCall[]) => void;
}

export class PrefixSweeps {
  readonly #options: PrefixSweepsOptions;
  #asked = new Map<string, PrefixCall>();
  #running = new Map<string, PrefixCall>();
  #passes: Promise<void> | null = null;
  #stopping = new AbortController();

  constructor(options: PrefixSweepsOptions) {
    this.#options = options;
  }

  /** Does nothing for a call that waits for its pass already. Never throws. */
  ask(asked: PrefixCall): void {
    const { id } = asked.call;
    if (this.#asked.has(id) || this.#running.has(id) || this.#stopping.signal.aborted) return;
    this.#asked.set(id, asked);
    // Not at once: what is asked for in one moment goes into one pass.
    this.#passes ??= Promise.resolve()
      .then(() => this.#run())
      .finally(() => {
        this.#passes = null;
      });
  }

  start(): void {
    this.#stopping = new AbortController();
  }

  /** Resolves when the step in flight has ended. What is not swept stays in the database. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#passes;
    this.#asked.clear();
    this.#running.clear();
  }

  async #run(): Promise<void> {
    const { runtime, forgetLocal, onSwept } = this.#options;
    const { signal } = this.#stopping;
    while (this.#asked.size > 0 && !signal.aborted) {
      this.#running = this.#asked;
      this.#asked = new Map();
      try {
        const calls = [...this.#running.values()];
        const prefixes = joined(calls.map(({ prefix }) => prefix));
        const removed = await invalidateMatching(this.#options, anyOf(prefixes), signal);
        if (signal.aborted) return;
        const resources = [...new Set(prefixes.map(({ resource }) => resource.name))];
        await forgetLocal(resources);
        runtime.log.debug({ resources, removed }, 'swept the entries that transactions asked for');
        this.#running = new Map();
        onSwept(calls);
      } catch (error) {
        runtime.log.debug({ err: error }, 'a sweep was interrupted; it begins again');
        this.#asked = new Map([...this.#running, ...this.#asked]);
        this.#running = new Map();
        await runtime.timers.sleep(RETRY_MS, signal);
      }
    }
  }
}

/** Each prefix once, and the whole resource in place of very many. */
function joined(prefixes: readonly KeyPrefix[]): KeyPrefix[] {
  const byResource = new Map<Resource, Map<string, KeyPrefix>>();
  for (const prefix of prefixes) {
    const found = byResource.get(prefix.resource) ?? new Map<string, KeyPrefix>();
    byResource.set(prefix.resource, found.set(prefixName(prefix), prefix));
  }
  return [...byResource].flatMap(([resource, found]) =>
    found.size > MAX_PREFIXES ? [{ resource, parts: [] }] : [...found.values()],
  );
}

function anyOf(prefixes: readonly KeyPrefix[]): CacheKeyTest {
  const tests = prefixes.map(cacheKeysOf);
  return (cacheKey) => tests.some((test) => test(cacheKey));
}
