/**
 * Sweeps: where the log does not tell what was changed, every entry of the resource goes.
 *
 * One pass over the cache's keys (SCAN, bounded steps) serves all resources that want one. A resource that asks while a
 * pass is under way gets another one: the running pass may have gone by its keys already. SCAN answers every key that
 * is there from its beginning to its end, leases too, so nothing that was filled before the pass outlives it.
 */
import type { EntryScanner, EntryStore, ScanPage } from '../cache/port.ts';
import type { Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';

const PAGE_KEYS = 500;
const RETRY_MS = 250;

export interface SweepsOptions {
  scanner: Pick<EntryScanner, 'scan'>;
  entries: Pick<EntryStore, 'invalidateMany'>;
  resources: ReadonlyMap<string, Resource>;
  runtime: Pick<Runtime, 'timers' | 'log'>;
  /** Told how many cache keys a page invalidated. */
  onInvalidated: (count: number) => void;
}

export class Sweeps {
  readonly #options: SweepsOptions;
  #wanted = new Set<string>();
  #running = new Set<string>();
  #pass: Promise<void> | null = null;
  #begun = 0;

  constructor(options: SweepsOptions) {
    this.#options = options;
  }

  /** Resources whose sweep is not done yet. */
  get pending(): string[] {
    return [...new Set([...this.#running, ...this.#wanted])];
  }

  /** How many were asked for since the start. */
  get begun(): number {
    return this.#begun;
  }

  /** Asks for a sweep; one that is wanted already is not counted twice. */
  ask(resource: string): void {
    if (!this.#options.resources.has(resource) || this.#wanted.has(resource)) return;
    this.#wanted.add(resource);
    this.#begun += 1;
  }

  /** Works until nothing is wanted or `signal` aborts; then what is pending stays so. Never rejects. */
  run(signal: AbortSignal): void {
    if (this.#pass !== null || this.#wanted.size === 0) return;
    this.#pass = this.#passes(signal).finally(() => {
      this.#pass = null;
    });
  }

  async ended(): Promise<void> {
    await this.#pass;
  }

  async #passes(signal: AbortSignal): Promise<void> {
    const { timers, log } = this.#options.runtime;
    while (this.#wanted.size > 0 && !signal.aborted) {
      this.#running = this.#wanted;
      this.#wanted = new Set();
      try {
        await this.#onePass(signal);
        if (!signal.aborted) {
          log.info({ resources: [...this.#running] }, 'swept the entries of resources');
          this.#running = new Set();
        }
      } catch (error) {
        log.debug({ err: error }, 'a sweep was interrupted; it begins again');
        await timers.sleep(RETRY_MS, signal);
      }
      this.#wanted = new Set([...this.#wanted, ...this.#running]);
      this.#running = new Set();
    }
  }

  async #onePass(signal: AbortSignal): Promise<void> {
    const { scanner, entries, resources, onInvalidated } = this.#options;
    const matches = [...this.#running].flatMap((name) => matcher(resources.get(name)) ?? []);
    let cursor: string | null = null;
    do {
      const page: ScanPage = await scanner.scan(cursor, PAGE_KEYS);
      const items = page.keys
        .filter(({ cacheKey }) => matches.some((isOf) => isOf(cacheKey)))
        .map(({ cacheKey }) => ({ cacheKey, version: null }));
      const results = items.length === 0 ? [] : await entries.invalidateMany(items);
      const failed = results.find((result) => result instanceof Error);
      if (failed !== undefined) throw failed;
      onInvalidated(items.length);
      cursor = page.next;
    } while (cursor !== null && !signal.aborted);
  }
}

/** Whether a cache key is an entry of the resource, or hangs on it by a template. */
function matcher(resource: Resource | undefined): ((cacheKey: string) => boolean) | null {
  if (resource === undefined) return null;
  const templates = [resource.cacheKey, ...resource.invalidates];
  return (cacheKey) => templates.some((template) => template.match(cacheKey) !== null);
}
