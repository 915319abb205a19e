/**
 * Sweeps: if the log does not say which rows were changed, every entry of the resource is invalidated.
 *
 * One pass over the cache's keys serves all resources that need one. A resource that asks during a pass gets another
 * pass, because the running one may already be past its keys.
 */
import { type EntryScanner, type EntryStore, invalidateMatching } from '../cache/index.ts';
import { madeByAny, type Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';

const RETRY_MS = 250;

export interface SweepsOptions {
  scanner: Pick<EntryScanner, 'scan'>;
  entries: Pick<EntryStore, 'invalidateMany'>;
  resources: ReadonlyMap<string, Resource>;
  /** Tells clients that keep values of these resources in memory to forget them all. */
  forgetLocal: (resources: readonly string[]) => Promise<void>;
  runtime: Pick<Runtime, 'timers' | 'log'>;
  /** Called with the number of cache keys that each page invalidated. */
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

  /** The resources whose sweep is not done yet. */
  get pending(): string[] {
    return [...new Set([...this.#running, ...this.#wanted])];
  }

  /** How many sweeps were asked for since the start. */
  get begun(): number {
    return this.#begun;
  }

  /** Asks for a sweep. One that has been asked for and has not begun is not counted again. */
  ask(resource: string): void {
    if (!this.#options.resources.has(resource) || this.#wanted.has(resource)) return;
    this.#wanted.add(resource);
    this.#begun += 1;
  }

  /** Sweeps until nothing is pending or `signal` aborts; the rest then stays pending. Never rejects. */
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
    const { resources, forgetLocal, onInvalidated } = this.#options;
    const templates = [...this.#running].flatMap((name) => {
      const resource = resources.get(name);
      return resource === undefined ? [] : [resource.cacheKey, ...resource.invalidates];
    });
    await invalidateMatching(this.#options, madeByAny(templates), signal, onInvalidated);
    await forgetLocal([...this.#running]);
  }
}
