/**
 * Steps of reads that are asked for together, such as those of one batch: the fill leases of one moment are taken
 * together, and the rows of one resource are read by one statement. Each read still goes through all of its own steps in
 * their order: its row is read after its lease was taken, and filled under that lease alone.
 */
import type { EntryStore, LeaseAttempt } from '../cache/port.ts';
import type { RowStore, VersionedRow } from '../database/port.ts';
import { type Key, LockstepError, type Resource } from '../domain/index.ts';
import { Batcher, type Runtime } from '../runtime/index.ts';

/** Bound on the rows of one statement, and on the leases that are waited for together. */
const MAX_TOGETHER = 256;

export interface CombinedStepsOptions {
  cache: Pick<EntryStore, 'leaseOrRead'>;
  rows: Pick<RowStore, 'read' | 'readMany'>;
  runtime: Pick<Runtime, 'timers'>;
}

interface AskedLease {
  cacheKey: string;
  leaseId: string;
}

export class CombinedSteps {
  readonly #options: CombinedStepsOptions;
  readonly #leases: Batcher<AskedLease, LeaseAttempt>;
  readonly #rows: Batcher<Key, VersionedRow>;

  constructor(options: CombinedStepsOptions) {
    this.#options = options;
    const { timers } = options.runtime;
    const common = { timers, waitsForAll: true, maxCalls: MAX_TOGETHER };
    this.#leases = new Batcher({ ...common, send: (asked) => this.#lease(asked) });
    this.#rows = new Batcher({ ...common, send: (keys) => this.#read(keys) });
  }

  /** @throws LockstepError as `EntryStore.leaseOrRead` */
  leaseOrRead(cacheKey: string, leaseId: string): Promise<LeaseAttempt> {
    return this.#leases.add({ cacheKey, leaseId });
  }

  /** The row of a resource that is a table. @throws LockstepError as `RowStore.read` */
  read(key: Key): Promise<VersionedRow> {
    return this.#rows.add(key);
  }

  /** The cache's own batches carry them; they are answered together, so that their rows are asked for together. */
  async #lease(asked: readonly AskedLease[]): Promise<(LeaseAttempt | Error)[]> {
    const { cache } = this.#options;
    return each(asked, ({ cacheKey, leaseId }) => cache.leaseOrRead(cacheKey, leaseId));
  }

  async #read(keys: readonly Key[]): Promise<(VersionedRow | Error)[]> {
    const byResource = new Map<Resource, number[]>();
    for (const [place, { resource }] of keys.entries()) {
      const places = byResource.get(resource);
      if (places === undefined) byResource.set(resource, [place]);
      else places.push(place);
    }
    const answers: (VersionedRow | Error)[] = [];
    await Promise.all(
      [...byResource].map(async ([resource, places]) => {
        const some = places.flatMap((place) => keys[place] ?? []);
        const rows = await this.#rowsOf(resource, some);
        for (const [index, place] of places.entries())
          answers[place] = rows[index] ?? new Error('A row of many got no answer.');
      }),
    );
    return answers;
  }

  /** What one row meets alone (a value that is too long, for example) must not befall the others. */
  async #rowsOf(resource: Resource, keys: readonly Key[]): Promise<(VersionedRow | Error)[]> {
    const { rows } = this.#options;
    if (keys.length === 1) return each(keys, (key) => rows.read(key));
    try {
      return await rows.readMany(resource, keys);
    } catch (error) {
      if (error instanceof LockstepError && error.code === 'DATABASE_UNAVAILABLE')
        return keys.map(() => error);
      return each(keys, (key) => rows.read(key));
    }
  }
}

async function each<T, R>(
  items: readonly T[],
  step: (item: T) => Promise<R>,
): Promise<(R | Error)[]> {
  const results = await Promise.allSettled(items.map(step));
  return results.map((result) =>
    result.status === 'fulfilled' ? result.value : toError(result.reason),
  );
}

const toError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error(String(reason));
