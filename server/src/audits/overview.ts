/**
 * What the dashboard sees of the audits: consistency, recent runs, open findings. It comes from the database, so that
 * every instance shows the whole cluster's, and is kept here so that the page stays up while the database is away:
 * the windows go on ageing, and the rest is as it was read last.
 */
import type { AuditEvent, AuditRunSummary } from '@lockstep/shared';
import { isComputed, isServedFromCache, type Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { consistencyWindows, type SampleCount } from './consistency.ts';
import type { AuditStore } from './port.ts';

const FRESH_MS = 2_000;
const SHOWN_RUNS = 20;

export class AuditOverview {
  readonly #store: AuditStore;
  readonly #runtime: Runtime;
  readonly #resources: ReadonlyMap<string, Resource>;
  #counts: (SampleCount & { resource: string })[] = [];
  #runs: AuditRunSummary[] = [];
  #openFindings = 0;
  /** When the counts were read, and when the next reading is due, on the monotonic clock. */
  #readAtMs = 0;
  #staleAtMs = -Infinity;
  #reading: Promise<void> | null = null;

  constructor(store: AuditStore, runtime: Runtime, resources: ReadonlyMap<string, Resource>) {
    this.#store = store;
    this.#runtime = runtime;
    this.#resources = resources;
  }

  /** Something has changed: the next `get` reads again. */
  refresh(): void {
    this.#staleAtMs = -Infinity;
  }

  /** Never rejects. */
  async get(): Promise<Omit<AuditEvent, 'atMs' | 'next'>> {
    const { clock } = this.#runtime;
    if (clock.nowMs() >= this.#staleAtMs) {
      this.#reading ??= this.#read().finally(() => (this.#reading = null));
      await this.#reading;
    }
    const sinceMs = clock.nowMs() - this.#readAtMs;
    const shown = [...this.#resources.values()].filter(
      (each) => each.audit !== null || (isServedFromCache(each) && !isComputed(each)),
    );
    const consistency = shown.map(({ name: resource }) => {
      const counts = this.#counts
        .filter((count) => count.resource === resource)
        .map((count) => ({ ...count, agoMs: count.agoMs + sinceMs }));
      return { resource, windows: consistencyWindows(counts) };
    });
    return { consistency, runs: this.#runs, openFindings: this.#openFindings };
  }

  async #read(): Promise<void> {
    const { clock, log } = this.#runtime;
    this.#staleAtMs = clock.nowMs() + FRESH_MS;
    try {
      const [counts, runs, openFindings] = await Promise.all([
        this.#store.recentCounts(),
        this.#store.runs({ limit: SHOWN_RUNS }),
        this.#store.countOpen(),
      ]);
      this.#counts = counts;
      this.#readAtMs = clock.nowMs();
      this.#runs = runs;
      this.#openFindings = openFindings;
    } catch (error) {
      log.debug(
        { err: error },
        'the overview of the audits could not be read; the last one stands',
      );
    }
  }
}
