/**
 * Follows the change log during one term of leadership, beginning at the stored position.
 *
 * Three loops run concurrently. When one of them ends, it stops the others.
 *   - the stream gives changes to the collector
 *   - `#work` takes the collected changes in batches, and invalidates the cache keys that they concern
 *   - `#watch` checks from time to time whether the log contains all changes of the tables
 *
 * Invariants
 *   - a batch is taken only when the previous one is done, so at most two batches are in memory (C5)
 *   - a position is saved only when everything before it is done (C6). Sweeps need not be done: those that are pending,
 *     and those of tables that are not followed now, are saved with the position
 *   - a position is acknowledged only after it is saved, because the database may then discard the log before it (C6)
 */
import type { EntryStore } from '../cache/port.ts';
import {
  isCacheAway,
  isCached,
  LockstepError,
  type Resource,
  type Telemetry,
} from '../domain/index.ts';
import { Backoff, type BackoffOptions, WakeUp } from '../jobs/index.ts';
import type { OutboxStore } from '../outbox/port.ts';
import type { Runtime } from '../runtime/index.ts';
import { type Batch, ChangeCollector, count, isEmpty } from './collector.ts';
import { followedText, newlyFollowed } from './followed-resources.ts';
import type { ChangeSource, TableFault, TableMessage } from './port.ts';
import { type LogTerm, termLost } from './position-store.ts';
import type { Sweeps } from './sweeps.ts';
import { type TableChanges, tablesOf } from './table-changes.ts';

/** How long to wait for further changes after the first one, so that one batch takes them all. */
const GATHER_MS = 1;
const SAVE_EVERY_MS = 1_000;
/** Even without work the position is saved this often, to show the other coordinators that the log is followed. */
const SAVE_IDLE_EVERY_MS = 5_000;
/** How long saves may fail before the term is given up. */
const SAVE_GRACE_MS = 10_000;
/** The shortest pause between two checks of the tables, which find changes that the log does not contain. */
const VERIFY_EVERY_MS = 1_000;
/** With very many tables a check takes longer and is repeated less often. This is the longest pause. */
const VERIFY_AT_LEAST_EVERY_MS = 5_000;
/** The pause grows by this many times the duration of the check. */
const VERIFY_PAUSE_FACTOR = 10;
const CHUNK = 1_000;
const SAVE_RETRY_MS = 50;
const CACHE_AWAY_BACKOFF: BackoffOptions = { minMs: 50, maxMs: 1_000, jitter: 'equal' };

export interface FollowerOptions {
  source: ChangeSource;
  entries: Pick<EntryStore, 'invalidateMany' | 'available'>;
  outbox: Pick<OutboxStore, 'append'>;
  resources: ReadonlyMap<string, Resource>;
  sweeps: Sweeps;
  telemetry: Telemetry;
  runtime: Runtime;
}

/** What the follower reports to the service. */
export interface FollowerEvents {
  /** The stream has begun. @param gap why changes may be missing, so that all entries are swept; null if none are */
  began(gap: string | null): void;
  faults(faults: TableFault[]): void;
  /** The position was saved again: the log makes progress. */
  progressed(): void;
  /** Work on a batch begins. @param oldestCommitAtMs when the oldest of its transactions was committed */
  batch(oldestCommitAtMs: number | null): void;
  applied(batch: {
    changes: number;
    invalidations: number;
    bypassed: ReadonlyMap<string, number>;
  }): void;
}

type Invalidation = readonly [cacheKey: string, version: number | null];

export class Follower {
  readonly #options: FollowerOptions;
  readonly #events: FollowerEvents;
  readonly #term: LogTerm;
  readonly #stopping = new AbortController();
  readonly #wakeUp: WakeUp;
  readonly #tables: ReadonlyMap<string, TableChanges>;
  readonly #collector: ChangeCollector;
  #position = '';
  /** Whether a followed table was changed or swept since the last save. Other tables' changes do not hasten a save. */
  #isDirty = false;
  #savedSweeps = '';
  /** Resources whose tables are not followed now. The log does not contain their changes, so a sweep is owed. */
  #unfollowed: string[] = [];
  #savedAtMs = 0;
  #lagMs = 0;
  #bypassed = new Map<string, number>();

  constructor(options: FollowerOptions, term: LogTerm, events: FollowerEvents) {
    this.#options = options;
    this.#term = term;
    this.#events = events;
    this.#wakeUp = new WakeUp(options.runtime.timers);
    this.#tables = tablesOf(options.resources.values());
    this.#collector = new ChangeCollector(this.#tables, () => this.#wakeUp.wake());
  }

  /**
   * Resolves when `signal` or the term's own signal has aborted and the batch in flight is done.
   * @param unusable why the stored position cannot be used; null if it can
   */
  async run(signal: AbortSignal, unusable: string | null): Promise<void> {
    const { source, sweeps } = this.#options;
    const stop = (): void => this.#stopping.abort();
    for (const one of [signal, this.#term.signal]) {
      if (one.aborted) stop();
      else one.addEventListener('abort', stop, { once: true });
    }
    try {
      const position = await this.#open(unusable);
      await this.#together([
        source.stream(position, this.#collector, this.#stopping.signal),
        this.#work(),
        this.#watch(),
      ]);
      if (!this.#term.signal.aborted) await this.#save();
    } finally {
      stop();
      for (const one of [signal, this.#term.signal]) one.removeEventListener('abort', stop);
      await sweeps.ended();
    }
    if (this.#term.signal.aborted) throw termLost();
  }

  async #open(unusable: string | null): Promise<string> {
    const { source, sweeps, resources, runtime } = this.#options;
    const { stored } = this.#term;
    const opened = await source.open(stored.position, unusable);
    for (const name of stored.sweeps) sweeps.ask(name);
    this.#lose(opened.lost);
    for (const name of newlyFollowed(stored.followed, resources.values()))
      this.#askForSweep(name, 'the log was followed without it');
    if (opened.gap !== null) {
      runtime.log.warn(
        { reason: opened.gap, from: stored.position, to: opened.position },
        'changes may be missing from the change log: the entries of all resources are swept',
      );
      for (const each of resources.values()) if (isCached(each)) sweeps.ask(each.name);
    }
    this.#position = opened.position;
    this.#noteFaults(opened.faults);
    this.#events.began(opened.gap);
    // Saved before the first change is taken: if the coordinator crashes now, the next leader continues these sweeps.
    await this.#save(followedText(resources.values()));
    this.#sweep();
    return opened.position;
  }

  /** Waits for all loops. When one ends, with or without an error, it stops the others. */
  async #together(loops: Promise<void>[]): Promise<void> {
    const ends = await Promise.allSettled(
      loops.map((loop) => loop.finally(() => this.#stopping.abort())),
    );
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  async #work(): Promise<void> {
    const { clock, timers } = this.#options.runtime;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const wasWoken = await this.#wakeUp.wait(this.#nextSaveInMs(), signal);
      if (wasWoken) await timers.sleep(GATHER_MS, signal);
      const batch = this.#collector.take();
      if (!isEmpty(batch)) await this.#apply(batch);
      this.#sweep();
      if (signal.aborted) return;
      if (!batch.isUrgent && this.#nextSaveInMs() > 0) continue;
      if (batch.isUrgent) await this.#save();
      else await this.#saveIfPossible(clock.nowMs());
      this.#events.progressed();
    }
  }

  async #apply(batch: Batch): Promise<void> {
    const { source, telemetry, runtime } = this.#options;
    const { invalidations, changes, bypassed, oldestCommitAtMs } = batch;
    this.#events.batch(oldestCommitAtMs);
    if (invalidations.size > 0 || batch.sweeps.size > 0) {
      // If the term ends first, the next one takes these changes again.
      if (!(await source.untilVisible(this.#stopping.signal))) return;
    }
    for (const [resource, reason] of batch.sweeps) this.#askForSweep(resource, reason);
    await this.#invalidate([...invalidations]);
    this.#position = batch.position ?? this.#position;
    if (changes > 0 || batch.sweeps.size > 0) this.#isDirty = true;
    for (const [table, by] of bypassed) count(this.#bypassed, table, by);
    if (oldestCommitAtMs !== null) {
      this.#lagMs = Math.max(0, Math.round(runtime.clock.wallMs() - oldestCommitAtMs));
    }
    this.#events.applied({ changes, invalidations: invalidations.size, bypassed });
    if (changes > 0) {
      telemetry.emit({
        type: 'changes-followed',
        changes,
        invalidations: invalidations.size,
        bypassed,
        lagMs: this.#lagMs,
      });
    }
  }

  /** Tries again until each key is invalidated or left to the outbox. While the cache is away, the log waits. */
  async #invalidate(items: readonly Invalidation[]): Promise<void> {
    const { runtime } = this.#options;
    const { signal } = this.#stopping;
    const backoff = new Backoff(CACHE_AWAY_BACKOFF, runtime.random);
    for (let left = items; ;) {
      const { away, refused } = await this.#invalidateOnce(left);
      if (refused.length > 0) await this.#leaveToOutbox(refused);
      if (away.length === 0) return;
      left = away;
      if (backoff.failures === 0) {
        runtime.log.warn({ keys: left.length }, 'the cache does not answer: the change log waits');
      }
      if (signal.aborted) throw new LockstepError('SHUTTING_DOWN', 'The change log was stopped.');
      await runtime.timers.sleep(backoff.nextMs(), signal);
    }
  }

  /** Returns the keys that failed because the cache is away, and those that the cache refused. */
  async #invalidateOnce(
    items: readonly Invalidation[],
  ): Promise<{ away: Invalidation[]; refused: string[] }> {
    const { entries } = this.#options;
    const away: Invalidation[] = [];
    const refused: string[] = [];
    for (let at = 0; at < items.length; at += CHUNK) {
      const chunk = items.slice(at, at + CHUNK);
      if (!entries.available) {
        away.push(...chunk);
        continue;
      }
      const results = await entries.invalidateMany(
        chunk.map(([cacheKey, version]) => ({ cacheKey, version })),
      );
      for (const [index, item] of chunk.entries()) {
        const result = results[index];
        if (result === undefined || isCacheAway(result)) away.push(item);
        else if (result instanceof Error) refused.push(item[0]);
      }
    }
    return { away, refused };
  }

  /**
   * A refused key must not hold up the others: the outbox tries it again, and it becomes a dead letter if it keeps
   * failing.
   */
  async #leaveToOutbox(cacheKeys: readonly string[]): Promise<void> {
    this.#options.runtime.log.warn(
      { keys: cacheKeys.length },
      'the cache refused invalidations for the change log; the outbox will try them again',
    );
    await this.#options.outbox.append(cacheKeys.map((cacheKey) => ({ cacheKey })));
  }

  /**
   * Asks for sweeps of tables with changes that are not in the log. This does not wait for the next batch: the source
   * reports such a table only once, and the term may end before it takes another batch.
   */
  #lose(lost: readonly TableMessage[]): void {
    for (const { table, message } of lost)
      for (const name of this.#tables.get(table)?.names ?? []) this.#askForSweep(name, message);
    if (lost.length > 0) this.#wakeUp.wake();
  }

  #noteFaults(faults: TableFault[]): void {
    const unfollowed = faults.filter(({ isFollowed }) => !isFollowed);
    this.#unfollowed = unfollowed.flatMap(({ table }) => this.#tables.get(table)?.names ?? []);
    this.#events.faults(faults);
  }

  /** The resources that the next term must sweep if this one ends now. */
  get #owed(): string[] {
    return [...new Set([...this.#options.sweeps.pending, ...this.#unfollowed])];
  }

  #askForSweep(resource: string, reason: string): void {
    const { sweeps, runtime } = this.#options;
    runtime.log.warn({ resource, reason }, 'the entries of a resource are swept');
    sweeps.ask(resource);
  }

  #sweep(): void {
    this.#options.sweeps.run(this.#stopping.signal);
  }

  async #watch(): Promise<void> {
    const { source, runtime } = this.#options;
    const { signal } = this.#stopping;
    for (let pauseMs = VERIFY_EVERY_MS; ;) {
      await runtime.timers.sleep(pauseMs, signal);
      if (signal.aborted) return;
      const startedAtMs = runtime.clock.nowMs();
      const { faults, lost } = await source.verify();
      const tookMs = runtime.clock.nowMs() - startedAtMs;
      pauseMs = Math.min(VERIFY_AT_LEAST_EVERY_MS, VERIFY_EVERY_MS + VERIFY_PAUSE_FACTOR * tookMs);
      this.#noteFaults(faults);
      this.#lose(lost);
    }
  }

  #nextSaveInMs(): number {
    const sinceMs = this.#options.runtime.clock.nowMs() - this.#savedAtMs;
    const isDirty = this.#isDirty || this.#savedSweeps !== this.#owed.join();
    return (isDirty ? SAVE_EVERY_MS : SAVE_IDLE_EVERY_MS) - sinceMs;
  }

  async #saveIfPossible(nowMs: number): Promise<void> {
    try {
      await this.#save();
    } catch (error) {
      const isPassing = error instanceof LockstepError && error.code === 'DATABASE_UNAVAILABLE';
      if (!isPassing || nowMs - this.#savedAtMs > SAVE_GRACE_MS) throw error;
      this.#options.runtime.log.debug(
        { err: error },
        "the change log's position could not be saved; it is tried again",
      );
      await this.#options.runtime.timers.sleep(SAVE_RETRY_MS, this.#stopping.signal);
    }
  }

  /** @param followed what this term follows; null once it is saved */
  async #save(followed: string | null = null): Promise<void> {
    const { source, runtime } = this.#options;
    const bypassed = this.#bypassed;
    const state = { position: this.#position, sweeps: this.#owed, followed };
    await this.#term.save({ ...state, lagMs: this.#lagMs, bypassed });
    if (this.#bypassed === bypassed) this.#bypassed = new Map();
    this.#isDirty = false;
    this.#savedSweeps = state.sweeps.join();
    this.#savedAtMs = runtime.clock.nowMs();
    source.acknowledge(state.position);
  }
}
