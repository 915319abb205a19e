/**
 * Takes the stream of changes and collects what must be done to the cache for it, one item for each cache key.
 *
 * Invariants
 *   - a change is Lockstep's own if its key's version was counted up before it in the same transaction. Each count
 *     accounts for one change of the row, so a trigger that changes the row again is not mistaken for Lockstep's write
 *   - the batch is bounded: above MAX_KEYS the stream waits until the batch is taken
 *   - a batch's position is that of the last transaction that is in it completely
 */
import { highestVersion, isCached, type Key, rulesOf } from '../domain/index.ts';
import type { ChangeSink, RowChange } from './port.ts';
import type { Effect, TableChanges } from './table-changes.ts';

/** Cache keys of one batch; a transaction of any size flows through in batches of so many. */
const MAX_KEYS = 5_000;

/** What is to be done for a stretch of the log. */
export interface Batch {
  /** By cache key; null: every value goes. */
  invalidations: Map<string, number | null>;
  /** Resources whose entries must all go, with the reason. */
  sweeps: Map<string, string>;
  /** Changed rows. */
  changes: number;
  /** By table, changed rows that no write of Lockstep's accounts for. */
  bypassed: Map<string, number>;
  /** Where the log can be gone on with when all of it is done; null: where it could before. */
  position: string | null;
  /** The database waits for the position to be acknowledged. */
  isUrgent: boolean;
  /** When the oldest of its transactions was committed, by the database's clock; null where there is none. */
  oldestCommitAtMs: number | null;
}

export class ChangeCollector implements ChangeSink {
  readonly #tables: ReadonlyMap<string, TableChanges>;
  readonly #onWork: () => void;
  #batch: Batch = emptyBatch();
  /** Own changes of the running transaction that have not come yet: resource and key to how many. */
  #marks = new Map<string, number>();
  #versions = new Map<string, number>();
  #committedAtMs: number | null = null;
  #waiting: { promise: Promise<void>; resolve: () => void } | null = null;

  /** @param onWork called whenever there is something to take */
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
    // Raising only the fence, or storing it apart, counts no version up; a new key has no version yet.
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
      if (!this.#take(effect, change.table, versions)) continue;
      isOwn = true;
      isDone ||= rulesOf(effect.resource).relatedBy === 'writer';
    }
    for (const effect of table.dependents.length === 0 ? [] : table.derivedEffects(change)) {
      // Its writer has invalidated it, or left that to the outbox; one that follows the log only is left to the log.
      if (!isDone || rulesOf(effect.resource).relatedBy === 'change-log')
        this.#take(effect, change.table, new Map());
    }
    // A table that nothing writes through Lockstep is not gone round.
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

  /** Hands over what is gathered. */
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
   * Whether the change is Lockstep's own, by way of this resource.
   * @param versions of this change, by what the rows are kept under: resources that share a row share its count
   */
  #take(
    { resource, keys, related, lost }: Effect,
    table: string,
    versions: Map<string, number | null>,
  ): boolean {
    const { invalidations } = this.#batch;
    const version = keys.length === 1 && keys[0] ? this.#ownVersion(keys[0], versions) : null;
    if (version !== null && rulesOf(resource).relatedBy === 'writer') return true;
    // A resource that is not cached has no entry of its own, but others may depend on its rows.
    for (const { cacheKey } of isCached(resource) ? keys : []) {
      invalidations.set(cacheKey, highestVersion(invalidations.get(cacheKey), version));
    }
    for (const cacheKey of related) invalidations.set(cacheKey, null);
    if (lost !== null && version === null)
      this.#batch.sweeps.set(resource.name, `${table}: ${lost}`);
    return version !== null;
  }

  /** The version that Lockstep wrote with this change; null where it did not write it. */
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

/** Whether nothing at all is to be done for it. */
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
