/**
 * Follows the database's change log, in one instance at a time, for as long as this one runs.
 *
 * States: off -> waiting (another instance follows it) <-> streaming <-> sweeping | behind; away (it cannot be
 * followed: tried again, with growing delays). A log whose position is gone is begun anew, and what may have been
 * missed is swept.
 */
import type { EntryScanner, EntryStore } from '../cache/port.ts';
import { LockstepError, type Resource, type Telemetry } from '../domain/index.ts';
import type { OutboxStore } from '../outbox/port.ts';
import type { Runtime } from '../runtime/index.ts';
import { count } from './collector.ts';
import { Follower, type FollowerNews } from './follower.ts';
import { ChangeLogLost } from './lost.ts';
import type {
  BypassCount,
  ChangeLogCounts,
  ChangeLogReport,
  ChangeLogService,
  ChangeSource,
  LogTurn,
  PositionStore,
  TableFault,
} from './port.ts';
import { Sweeps } from './sweeps.ts';

const WAIT_MS = 500;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;
/** A lag that was measured so long ago says nothing any more. */
const LAG_FRESH_MS = 5_000;
/** The instance that follows the log saves at least every 5 s. */
const SAVED_STALE_MS = 15_000;
/** A stream that breaks so often before it has got anywhere will not get over what it breaks at. */
const MAX_BREAKS = 5;

export interface ChangeLogOptions {
  source: ChangeSource;
  positions: PositionStore;
  entries: EntryStore;
  scanner: Pick<EntryScanner, 'scan'>;
  outbox: Pick<OutboxStore, 'append'>;
  resources: ReadonlyMap<string, Resource>;
  /** A lag above this is shown as `behind`. */
  behindMs: number;
  telemetry: Telemetry;
  runtime: Runtime;
}

/** Creates the service; it does nothing until `start`. */
export function createChangeLog(options: ChangeLogOptions): ChangeLogService {
  return new FollowingService(options);
}

class FollowingService implements ChangeLogService {
  readonly #options: ChangeLogOptions;
  readonly #sweeps: Sweeps;
  #stopping = new AbortController();
  #running: Promise<void> | null = null;
  #mode: 'off' | 'away' | 'waiting' | 'following' = 'off';
  #why: string | null = null;
  #gap: string | null = null;
  #faults: TableFault[] = [];
  #lost: string | null = null;
  #turn = new AbortController();
  /** Streams that began and broke since the last progress. */
  #breaks = 0;
  #oldestUnderWayMs: number | null = null;
  #lastLag: { lagMs: number; atMs: number } | null = null;
  #changes = 0;
  #invalidations = 0;
  readonly #bypassed = new Map<string, number>();

  constructor(options: ChangeLogOptions) {
    this.#options = options;
    this.#sweeps = new Sweeps({
      ...options,
      onInvalidated: (by) => {
        this.#invalidations += by;
      },
    });
  }

  start(): void {
    if (this.#running !== null) return;
    this.#stopping = new AbortController();
    this.#mode = 'away';
    this.#why = 'it is not followed yet';
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#running = null;
    this.#mode = 'off';
  }

  refollow(): void {
    this.#turn.abort();
  }

  report(): ChangeLogReport {
    switch (this.#mode) {
      case 'off':
        return { state: 'off', lagMs: null, detail: null };
      case 'away':
        return { state: 'away', lagMs: null, detail: `not followed: ${this.#why}` };
      case 'waiting':
        return { state: 'waiting', lagMs: this.#lagMs(), detail: this.#why };
      case 'following':
        return this.#following();
    }
  }

  counts(): ChangeLogCounts {
    return {
      changes: this.#changes,
      invalidations: this.#invalidations,
      sweeps: this.#sweeps.begun,
      bypassed: this.#bypassed,
    };
  }

  bypassCounts(): Promise<BypassCount[]> {
    return this.#options.positions.bypassCounts();
  }

  #following(): ChangeLogReport {
    const lagMs = this.#lagMs();
    const faults = this.#faults.map(({ table, message }) => `${table}: ${message}`);
    const details: string[] = [];
    const isSweeping = this.#sweeps.pending.length > 0;
    if (isSweeping) details.push(`sweeping ${this.#sweeps.pending.join(', ')}${this.#because()}`);
    const isBehind = lagMs > this.#options.behindMs;
    if (isBehind) details.push(`${(lagMs / 1_000).toFixed(1)} s behind`);
    const detail = [...details, ...faults].join('; ');
    return {
      state: isBehind ? 'behind' : isSweeping ? 'sweeping' : 'streaming',
      lagMs,
      detail: detail === '' ? null : detail,
    };
  }

  #because(): string {
    return this.#gap === null ? '' : `, because changes may be missing (${this.#gap})`;
  }

  #lagMs(): number {
    const { clock } = this.#options.runtime;
    if (this.#oldestUnderWayMs !== null) {
      return Math.max(0, Math.round(clock.wallMs() - this.#oldestUnderWayMs));
    }
    const last = this.#lastLag;
    return last === null || clock.nowMs() - last.atMs > LAG_FRESH_MS ? 0 : last.lagMs;
  }

  async #run(): Promise<void> {
    const { positions, runtime } = this.#options;
    const { signal } = this.#stopping;
    for (let failures = 0; !signal.aborted;) {
      try {
        const hadTurn = await positions.exclusively((turn) => this.#follow(turn));
        failures = 0;
        if (hadTurn) continue;
        await this.#lookOn();
        await runtime.timers.sleep(WAIT_MS, signal);
      } catch (error) {
        if (signal.aborted) break;
        this.#noteFailure(error);
        const boundMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** failures);
        failures = Math.min(failures + 1, 10);
        await runtime.timers.sleep(boundMs * (0.5 + runtime.random.next() / 2), signal);
      }
    }
  }

  async #follow(turn: LogTurn): Promise<void> {
    const over = new AbortController();
    this.#turn = over;
    const end = (): void => over.abort();
    this.#stopping.signal.addEventListener('abort', end, { once: true });
    if (this.#stopping.signal.aborted) end();
    const parts = { ...this.#options, sweeps: this.#sweeps };
    try {
      await new Follower(parts, turn, this.#news()).run(over.signal, this.#lost);
    } finally {
      this.#stopping.signal.removeEventListener('abort', end);
    }
  }

  #noteFailure(error: unknown): void {
    const message = whyOf(error);
    if (this.#mode === 'following') this.#breaks += 1;
    if (error instanceof ChangeLogLost) this.#lost = message;
    else if (this.#breaks >= MAX_BREAKS) this.#lost = `it cannot be read on: ${message}`;
    if (this.#mode !== 'away' || this.#why !== message) {
      this.#options.runtime.log.warn({ err: error }, 'the change log is not followed now');
    }
    this.#mode = 'away';
    this.#why = message;
    this.#oldestUnderWayMs = null;
  }

  /** What the instance that follows the log has saved. */
  async #lookOn(): Promise<void> {
    const saved = await this.#options.positions.status();
    const isFollowed = saved !== null && saved.savedAgoMs < SAVED_STALE_MS;
    this.#mode = isFollowed ? 'waiting' : 'away';
    this.#why = isFollowed ? null : 'the instance that has its turn saves nothing';
    this.#lastLag =
      saved === null ? null : { lagMs: saved.lagMs, atMs: this.#options.runtime.clock.nowMs() };
  }

  #news(): FollowerNews {
    const { runtime } = this.#options;
    return {
      began: (gap) => {
        this.#mode = 'following';
        this.#why = null;
        if (this.#lost !== null) this.#breaks = 0;
        this.#lost = null;
        this.#gap = gap;
        runtime.log.info({}, 'the change log is followed');
      },
      progressed: () => {
        this.#breaks = 0;
      },
      faults: (faults) => this.#noteFaults(faults),
      batch: (oldestCommitAtMs) => {
        this.#oldestUnderWayMs = oldestCommitAtMs;
      },
      applied: ({ changes, invalidations, bypassed }) => {
        const lagMs = this.#lagMs();
        if (this.#oldestUnderWayMs !== null) {
          this.#lastLag = { lagMs, atMs: runtime.clock.nowMs() };
        }
        this.#oldestUnderWayMs = null;
        this.#changes += changes;
        this.#invalidations += invalidations;
        for (const [table, by] of bypassed) count(this.#bypassed, table, by);
      },
    };
  }

  #noteFaults(faults: TableFault[]): void {
    const known = new Set(this.#faults.map(({ table, message }) => `${table} ${message}`));
    for (const { table, message } of faults) {
      if (known.has(`${table} ${message}`)) continue;
      this.#options.runtime.log.warn({ table, fault: message }, 'a table is not followed well');
    }
    this.#faults = faults;
  }
}

/** Anybody may read it (`/readyz?verbose`): a driver's own text names hosts and users. */
function whyOf(error: unknown): string {
  if (error instanceof ChangeLogLost || error instanceof LockstepError) return error.message;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return `the database ended it (${typeof code === 'string' ? code : 'no reason given'})`;
}
