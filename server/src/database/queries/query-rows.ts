import { assertHasRows, isDerived, type Key, type Resource } from '../../domain/index.ts';
import type { RowStore, RowTransaction, RowWrite, VersionedRow } from '../port.ts';
import type { QueryReader } from './query-reader.ts';

/** The row store with derived resources: their reads run the query, and nothing writes them. */
export class QueryRows implements RowStore {
  readonly #rows: RowStore;
  readonly #queries: Pick<QueryReader, 'read'>;

  constructor(rows: RowStore, queries: Pick<QueryReader, 'read'>) {
    this.#rows = rows;
    this.#queries = queries;
  }

  async read(key: Key, options?: { settled?: boolean }): Promise<VersionedRow> {
    const { resource } = key;
    if (!isDerived(resource)) return this.#rows.read(key, options);
    const [answer] = await this.#queries.read(resource, [key]);
    return answer ?? { version: 0, fence: 0, row: null };
  }

  readMany(resource: Resource, keys: readonly Key[]): Promise<VersionedRow[]> {
    return isDerived(resource)
      ? this.#queries.read(resource, keys)
      : this.#rows.readMany(resource, keys);
  }

  async write(write: RowWrite): ReturnType<RowStore['write']> {
    assertHasRows(write.key.resource);
    return this.#rows.write(write);
  }

  async writeTogether(transaction: RowTransaction): ReturnType<RowStore['writeTogether']> {
    for (const { key } of transaction.writes) assertHasRows(key.resource);
    return this.#rows.writeTogether(transaction);
  }

  async raiseFence(...of: Parameters<RowStore['raiseFence']>): ReturnType<RowStore['raiseFence']> {
    assertHasRows(of[0].resource);
    return this.#rows.raiseFence(...of);
  }

  recordRefusal(
    ...of: Parameters<RowStore['recordRefusal']>
  ): ReturnType<RowStore['recordRefusal']> {
    return this.#rows.recordRefusal(...of);
  }

  findOutcome(idempotencyKey: string): ReturnType<RowStore['findOutcome']> {
    return this.#rows.findOutcome(idempotencyKey);
  }

  pruneOutcomes(limit: number): Promise<number> {
    return this.#rows.pruneOutcomes(limit);
  }

  /** Only the cache knows which parameters there are. */
  sampleKeys(resource: Resource, count: number): Promise<Key[]> {
    return isDerived(resource) ? Promise.resolve([]) : this.#rows.sampleKeys(resource, count);
  }

  recentKeys(resource: Resource, count: number): Promise<Key[]> {
    return isDerived(resource) ? Promise.resolve([]) : this.#rows.recentKeys(resource, count);
  }
}
