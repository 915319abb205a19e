/**
 * Turns the changes in the stream into batches of work for the cache. A batch contains each cache key once.
 *
 * Invariants
 *   - a change counts as Lockstep's own if its key's version was increased earlier in the same transaction (C2). Each
 *     increase accounts for one change of the row, so a second change by a trigger does not count as Lockstep's own
 *   - the batch is bounded: at MAX_KEYS the stream waits until the batch is taken (C5)
 *   - a batch's position is the end of the last transaction that it contains completely (C6)
 */
import { highestVersion, isCached, type Key, rulesOf } from '../domain/index.ts';
import type { ChangeSink, RowChange } from './port.ts';
import type { Effect, TableChanges } from './table-changes.ts';

/** Cache keys in one batch. A larger transaction is split into several batches. */
const MAX_KEYS = 5_000;

/** What a part of the log requires of the cache. */
export interface Batch {
  /** By cache key, the version below which a value is invalidated; null to invalidate a value of any version. */
  invalidations: Map<string, number | null>;
  /** By resource of which all entries must be invalidated, the reason. */
  sweeps: Map<string, string>;
  /** The number of changed rows. */
  changes: number;
  /** By table, the number of changed rows that no write through Lockstep accounts for. */
  bypassed: Map<string, number>;
  /** Where the log can be resumed once this batch is done; null if that is where the previous batch ended. */
  position: string | null;
  /** The database waits for the position to be acknowledged. */
  isUrgent: boolean;
  /** When the oldest of its transactions was committed, by this process's wall clock; null if it has none. */
  oldestCommitAtMs: number | null;
}

export class ChangeCollector implements ChangeSink {
  readonly #tables: ReadonlyMap<string, TableChanges>;
  readonly #onWork: () => void;
  #batch: Batch = emptyBatch();
  /** By row, how many changes by Lockstep itself the current transaction still has to show. See `markName`. */
  #marks = new Map<string, number>();
  #versions = new Map<string, number>();
  #committedAtMs: number | null = null;
  #waiting: { promise: Promise<void>; resolve: () => void } | null = null;

  /** @param onWork called whenever something was added to the batch */
  constructor(tables: ReadonlyMap<string, TableChanges>, onWork: () => void) {
    this.#tables = tables;
    this.#onWork = onWork;
  }

  begin({ committedAtMs }: { committedAtMs: number }): void {
    this.#forgetMarks();
    this.#committedAtMs = committedAtMs;
  }

  mark(rows: string, rowText: string, version: number): void {
    const name = markName(rows, rowText);
    const before = this.#versions.get(name);
    this.#versions.set(name, version);
    // Only a version that has grown stands for a change of the row. It stays the same if only the fence was raised, or
    // if the fence was stored separately. A new key has version 0.
    if (before !== version && version > 0) this.#marks.set(name, (this.#marks.get(name) ?? 0) + 1);
  }

  row(change: RowChange): void {
    const table = this.#tables.get(change.table);
    if (table === undefined) return;
    this.#batch.changes += 1;
    this.#batch.oldestCommitAtMs ??= this.#committedAtMs;
    let isOwn = false;
    let isDone = false;
    const versions = new Map<string, number | null>();
    for (const effect of table.effects(change)) {
      if (!this.#collect(effect, change.table, versions)) continue;
      isOwn = true;
      isDone ||= rulesOf(effect.resource).relatedBy === 'writer';
    }
    for (const effect of table.dependents.length === 0 ? [] : table.derivedEffects(change)) {
      // If the change is Lockstep's own, its writer or the outbox invalidates the query's entry, unless the policy of
      // the query leaves that to the log.
      if (!isDone || rulesOf(effect.resource).relatedBy === 'change-log')
        this.#collect(effect, change.table, new Map());
    }
    // If the table has no resource, nobody can write it through Lockstep, so its changes do not bypass Lockstep.
    if (!isOwn && table.resources.length > 0) count(this.#batch.bypassed, change.table, 1);
    this.#onWork();
  }

  lost(table: string, reason: string): void {
    for (const name of this.#tables.get(table)?.names ?? []) this.#batch.sweeps.set(name, reason);
    this.#onWork();
  }

  commit(position: string): void {
    this.#forgetMarks();
    this.#committedAtMs = null;
    this.#batch.position = position;
    this.#onWork();
  }

  caughtUp(position: string, isUrgent: boolean): void {
    if (this.#committedAtMs !== null) return;
    this.#batch.position = position;
    if (isUrgent) this.#batch.isUrgent = true;
    this.#onWork();
  }

  room(): Promise<void> | null {
    if (this.#batch.invalidations.size < MAX_KEYS) return null;
    if (this.#waiting === null) {
      let resolve = (): void => undefined;
      const promise = new Promise<void>((done) => (resolve = done));
      this.#waiting = { promise, resolve };
    }
    return this.#waiting.promise;
  }

  /** Returns the batch and begins a new one. */
  take(): Batch {
    const batch = this.#batch;
    this.#batch = emptyBatch();
    this.#waiting?.resolve();
    this.#waiting = null;
    return batch;
  }

  #forgetMarks(): void {
    if (this.#versions.size === 0) return;
    this.#marks = new Map();
    this.#versions = new Map();
  }

  /**
   * Adds what one change requires for one resource.
   * @param versions by row, the version already found for this change; resources that share a row share its version
   * @returns whether the change is Lockstep's own
   */
  #collect(
    { resource, keys, related, lost }: Effect,
    table: string,
    versions: Map<string, number | null>,
  ): boolean {
    const { invalidations } = this.#batch;
    const version = keys.length === 1 && keys[0] ? this.#ownVersion(keys[0], versions) : null;
    if (version !== null && rulesOf(resource).relatedBy === 'writer') return true;
    // A resource that is not cached has no entries itself, but other cache keys may depend on its rows.
    for (const { cacheKey } of isCached(resource) ? keys : []) {
      invalidations.set(cacheKey, highestVersion(invalidations.get(cacheKey), version));
    }
    for (const cacheKey of related) invalidations.set(cacheKey, null);
    if (lost !== null && version === null)
      this.#batch.sweeps.set(resource.name, `${table}: ${lost}`);
    return version !== null;
  }

  /** The version that Lockstep wrote with this change; null if the change is not Lockstep's. */
  #ownVersion({ rows, rowText }: Key, versions: Map<string, number | null>): number | null {
    if (this.#marks.size === 0) return null;
    const name = markName(rows, rowText);
    const known = versions.get(name);
    if (known !== undefined) return known;
    const left = this.#marks.get(name) ?? 0;
    if (left > 0) this.#marks.set(name, left - 1);
    const version = left > 0 ? (this.#versions.get(name) ?? null) : null;
    versions.set(name, version);
    return version;
  }
}

/** Whether the batch has nothing to do, not even a position to save. */
export function isEmpty({ invalidations, sweeps, changes, position }: Batch): boolean {
  return invalidations.size === 0 && sweeps.size === 0 && changes === 0 && position === null;
}

const emptyBatch = (): Batch => ({
  invalidations: new Map(),
  sweeps: new Map(),
  changes: 0,
  bypassed: new Map(),
  position: null,
  isUrgent: false,
  oldestCommitAtMs: null,
});

const markName = (rows: string, rowText: string): string => `${rows} ${rowText}`;

export function count(counts: Map<string, number>, name: string, by: number): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}
