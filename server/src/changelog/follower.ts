/**
 * One turn at following the change log: from its position to the end of the turn.
 *
 * Three loops run side by side, and the first that fails ends the others: the stream gives changes to the collector,
 * `#work` takes them in batches and does what they ask for, `#watch` looks at the tables now and then.
 *
 * Invariants
 *   - a batch is taken when the one before it is done, so that what is in memory is bounded by two batches
 *   - a position is saved only when everything before it is done, sweeps excepted: those are saved beside it
 *   - the database hears of a position (and may forget what is before it) only after it is saved
 */
import type { EntryStore } from '../cache/port.ts';
import { isCached, LockstepError, type Resource, type Telemetry } from '../domain/index.ts';
import type { OutboxStore } from '../outbox/port.ts';
import type { Runtime } from '../runtime/index.ts';
import { Bell } from './bell.ts';
import { type Batch, ChangeCollector, count, isEmpty } from './collector.ts';
import type { ChangeSource, LogTurn, TableFault } from './port.ts';
import type { Sweeps } from './sweeps.ts';
import { tablesOf } from './table-changes.ts';

/** Lets the changes of one moment come together before they are worked on. */
const GATHER_MS = 1;
const SAVE_EVERY_MS = 1_000;
/** A save tells the other instances, too, that the log is followed. */
const SAVE_IDLE_EVERY_MS = 5_000;
/** Saves may fail for so long before the turn is given up. */
const SAVE_GRACE_MS = 10_000;
/** How often the tables are looked at: what the log does not tell of them is noticed within about so long. */
const VERIFY_EVERY_MS = 1_000;
/** With very many tables a look takes longer; it is then repeated less often, and at least every so often. */
const VERIFY_AT_LEAST_EVERY_MS = 5_000;
const VERIFY_SHARE = 10;
const CHUNK = 1_000;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1_000;

export interface FollowerParts {
  source: ChangeSource;
  entries: Pick<EntryStore, 'invalidateMany' | 'available'>;
  outbox: Pick<OutboxStore, 'append'>;
  resources: ReadonlyMap<string, Resource>;
  sweeps: Sweeps;
  telemetry: Telemetry;
  runtime: Runtime;
}

/** What a turn tells while it lasts. */
export interface FollowerNews {
  /** The stream has begun; a gap is why entries are being swept. */
  began(gap: string | null): void;
  faults(faults: TableFault[]): void;
  /** The position was saved again: the log leads on. */
  progressed(): void;
  /** A batch is begun: its oldest commit. */
  batch(oldestCommitAtMs: number | null): void;
  applied(batch: {
    changes: number;
    invalidations: number;
    bypassed: ReadonlyMap<string, number>;
  }): void;
}

export class Follower {
  readonly #parts: FollowerParts;
  readonly #news: FollowerNews;
  readonly #turn: LogTurn;
  readonly #stopping = new AbortController();
  readonly #bell: Bell;
  readonly #collector: ChangeCollector;
  #position = '';
  /** Whether anything was done since the last save; progress past others' changes alone is not worth one. */
  #isDirty = false;
  #savedSweeps = '';
  #savedAtMs = 0;
  #lagMs = 0;
  #bypassed = new Map<string, number>();

  constructor(parts: FollowerParts, turn: LogTurn, news: FollowerNews) {
    this.#parts = parts;
    this.#turn = turn;
    this.#news = news;
    this.#bell = new Bell(parts.runtime.timers);
    this.#collector = new ChangeCollector(tablesOf(parts.resources.values()), () =>
      this.#bell.ring(),
    );
  }

  /**
   * Resolves when `signal` or the turn's own has aborted and the batch under way is done.
   * @param lost why the stored position must not be gone on from; null where nothing is wrong
   */
  async run(signal: AbortSignal, lost: string | null): Promise<void> {
    const { source, sweeps } = this.#parts;
    const stop = (): void => this.#stopping.abort();
    for (const one of [signal, this.#turn.signal]) {
      if (one.aborted) stop();
      else one.addEventListener('abort', stop, { once: true });
    }
    try {
      const position = await this.#open(lost);
      await this.#together([
        source.stream(position, this.#collector, this.#stopping.signal),
        this.#work(),
        this.#watch(),
      ]);
      if (!this.#turn.signal.aborted) await this.#save();
    } finally {
      stop();
      for (const one of [signal, this.#turn.signal]) one.removeEventListener('abort', stop);
      await sweeps.ended();
      await source.close();
    }
    if (this.#turn.signal.aborted) throw turnLost();
  }

  async #open(lost: string | null): Promise<string> {
    const { source, sweeps, resources, runtime } = this.#parts;
    const { stored } = this.#turn;
    const opened = await source.open(stored.position, lost);
    for (const name of stored.sweeps) sweeps.ask(name);
    for (const { table, message } of opened.lost) this.#collector.lost(table, message);
    if (opened.gap !== null) {
      runtime.log.warn(
        { reason: opened.gap, from: stored.position, to: opened.position },
        'changes may be missing from the change log: the entries of all resources are swept',
      );
      for (const each of resources.values()) if (isCached(each)) sweeps.ask(each.name);
    }
    this.#position = opened.position;
    this.#news.faults(opened.faults);
    this.#news.began(opened.gap);
    // Before the first change is taken: what a crash leaves must know of the gap.
    await this.#save();
    this.#sweep();
    return opened.position;
  }

  /** Waits for all; the first that ends, well or not, ends the others. */
  async #together(loops: Promise<void>[]): Promise<void> {
    const ends = await Promise.allSettled(
      loops.map((loop) => loop.finally(() => this.#stopping.abort())),
    );
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  async #work(): Promise<void> {
    const { clock, timers } = this.#parts.runtime;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const wasRung = await this.#bell.wait(this.#nextSaveInMs(), signal);
      if (wasRung) await timers.sleep(GATHER_MS, signal);
      const batch = this.#collector.take();
      if (!isEmpty(batch)) await this.#apply(batch);
      this.#sweep();
      if (signal.aborted) return;
      if (!batch.isUrgent && this.#nextSaveInMs() > 0) continue;
      if (batch.isUrgent) await this.#save();
      else await this.#saveIfPossible(clock.nowMs());
      this.#news.progressed();
    }
  }

  async #apply(batch: Batch): Promise<void> {
    const { source, sweeps, telemetry, runtime } = this.#parts;
    const { invalidations, changes, bypassed, oldestCommitAtMs } = batch;
    this.#news.batch(oldestCommitAtMs);
    if (invalidations.size > 0 || batch.sweeps.size > 0) await source.settled();
    for (const [resource, reason] of batch.sweeps) {
      runtime.log.warn({ resource, reason }, 'the entries of a resource are swept');
      sweeps.ask(resource);
    }
    await this.#invalidate([...invalidations]);
    this.#position = batch.position ?? this.#position;
    if (changes > 0 || batch.sweeps.size > 0) this.#isDirty = true;
    for (const [table, by] of bypassed) count(this.#bypassed, table, by);
    if (oldestCommitAtMs !== null) {
      this.#lagMs = Math.max(0, Math.round(runtime.clock.wallMs() - oldestCommitAtMs));
    }
    this.#news.applied({ changes, invalidations: invalidations.size, bypassed });
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

  /** Goes on until each is done or handed to the outbox: a cache that is away holds the log up. */
  async #invalidate(items: (readonly [cacheKey: string, version: number | null])[]): Promise<void> {
    const { entries, runtime } = this.#parts;
    const { signal } = this.#stopping;
    let left = items;
    for (let attempt = 0; left.length > 0; attempt++) {
      const away: typeof items = [];
      const refused: string[] = [];
      for (let at = 0; at < left.length; at += CHUNK) {
        const chunk = left.slice(at, at + CHUNK);
        if (!entries.available) {
          away.push(...chunk);
          continue;
        }
        const results = await entries.invalidateMany(
          chunk.map(([cacheKey, version]) => ({ cacheKey, version })),
        );
        for (const [index, item] of chunk.entries()) {
          const result = results[index];
          if (result === undefined || isAway(result)) away.push(item);
          else if (result instanceof Error) refused.push(item[0]);
        }
      }
      if (refused.length > 0) await this.#handOver(refused);
      left = away;
      if (left.length === 0) return;
      if (attempt === 0) {
        runtime.log.warn({ keys: left.length }, 'the cache does not answer: the change log waits');
      }
      if (signal.aborted) throw new LockstepError('SHUTTING_DOWN', 'The change log was stopped.');
      const delayMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(attempt, 10));
      await runtime.timers.sleep(delayMs * (0.5 + runtime.random.next() / 2), signal);
    }
  }

  /** What the cache refuses by itself must not hold up everything else; the outbox tries again, and names it. */
  async #handOver(cacheKeys: readonly string[]): Promise<void> {
    this.#parts.runtime.log.warn(
      { keys: cacheKeys.length },
      'the cache refused invalidations of the change log: the outbox has them now',
    );
    await this.#parts.outbox.append(cacheKeys.map((cacheKey) => ({ cacheKey })));
  }

  #sweep(): void {
    this.#parts.sweeps.run(this.#stopping.signal);
  }

  async #watch(): Promise<void> {
    const { source, runtime } = this.#parts;
    const { signal } = this.#stopping;
    for (let pauseMs = VERIFY_EVERY_MS; ;) {
      await runtime.timers.sleep(pauseMs, signal);
      if (signal.aborted) return;
      const startedAtMs = runtime.clock.nowMs();
      const { faults, lost } = await source.verify();
      const tookMs = runtime.clock.nowMs() - startedAtMs;
      pauseMs = Math.min(VERIFY_AT_LEAST_EVERY_MS, VERIFY_EVERY_MS + VERIFY_SHARE * tookMs);
      this.#news.faults(faults);
      for (const { table, message } of lost) this.#collector.lost(table, message);
    }
  }

  #nextSaveInMs(): number {
    const sinceMs = this.#parts.runtime.clock.nowMs() - this.#savedAtMs;
    const isDirty = this.#isDirty || this.#savedSweeps !== this.#parts.sweeps.pending.join();
    return (isDirty ? SAVE_EVERY_MS : SAVE_IDLE_EVERY_MS) - sinceMs;
  }

  async #saveIfPossible(nowMs: number): Promise<void> {
    try {
      await this.#save();
    } catch (error) {
      const isPassing = error instanceof LockstepError && error.code === 'DATABASE_UNAVAILABLE';
      if (!isPassing || nowMs - this.#savedAtMs > SAVE_GRACE_MS) throw error;
      this.#parts.runtime.log.debug({ err: error }, "the change log's position was not saved yet");
      await this.#parts.runtime.timers.sleep(RETRY_MIN_MS, this.#stopping.signal);
    }
  }

  async #save(): Promise<void> {
    const { source, sweeps, runtime } = this.#parts;
    const bypassed = this.#bypassed;
    const state = { position: this.#position, sweeps: sweeps.pending };
    await this.#turn.save({ ...state, lagMs: this.#lagMs, bypassed });
    if (this.#bypassed === bypassed) this.#bypassed = new Map();
    this.#isDirty = false;
    this.#savedSweeps = state.sweeps.join();
    this.#savedAtMs = runtime.clock.nowMs();
    source.acknowledge(state.position);
  }
}

const isAway = (result: unknown): boolean =>
  result instanceof LockstepError && result.code === 'CACHE_UNAVAILABLE';

const turnLost = (): LockstepError =>
  new LockstepError('LOCK_TIMEOUT', 'Another instance follows the change log now.');
