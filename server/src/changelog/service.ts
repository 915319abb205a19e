/**
 * Follows the database's change log. One coordinator of the cluster follows it at a time; the others wait.
 *
 * States
 *   off        not started, or stopped
 *   waiting    another coordinator follows the log
 *   streaming  this one follows it; while it does, it may also be `sweeping` or `behind`
 *   away       the log cannot be followed now; tried again after a backoff
 *
 * If the log no longer contains the stored position, it is followed from its end, and all entries are swept.
 */
import type { EntryScanner, EntryStore } from '../cache/port.ts';
import { LockstepError, type Resource, type Telemetry } from '../domain/index.ts';
import type { OutboxStore } from '../outbox/port.ts';
import { BackgroundLoop, type BackoffOptions } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { count } from './collector.ts';
import { RetainedLogWatch } from './retained-log.ts';
import { newlyFollowed } from './followed-resources.ts';
import { Follower, type FollowerEvents } from './follower.ts';
import { PositionLost } from './position-lost.ts';
import type {
  BypassCount,
  ChangeLogCounts,
  ChangeLogReport,
  ChangeSource,
  TableFault,
} from './port.ts';
import type { LogTerm, PositionStore } from './position-store.ts';
import { Sweeps } from './sweeps.ts';

const WAIT_MS = 500;
const BACKOFF: BackoffOptions = { minMs: 100, maxMs: 5_000, jitter: 'equal' };
/** A lag that was measured longer ago is no longer reported. */
const LAG_FRESH_MS = 5_000;
/** The log counts as not followed after this time without a save; the coordinator that follows it saves every 5 s. */
const SAVED_STALE_MS = 15_000;
/** If the stream breaks this often without progress, the log is not read further from here, but from its end. */
const MAX_BREAKS = 5;

export interface ChangeLogOptions {
  source: ChangeSource;
  positions: PositionStore;
  entries: EntryStore;
  scanner: Pick<EntryScanner, 'scan'>;
  /** Tells clients that keep values of these resources in memory to forget them all. */
  forgetLocal: (resources: readonly string[]) => Promise<void>;
  outbox: Pick<OutboxStore, 'append'>;
  resources: ReadonlyMap<string, Resource>;
  /** A lag above this is shown as `behind`. */
  behindMs: number;
  telemetry: Telemetry;
  runtime: Runtime;
}

type Progress = Pick<ChangeLogReport, 'state' | 'lagMs' | 'detail'>;

/** Does nothing until `start`. */
export class ChangeLog {
  readonly #options: ChangeLogOptions;
  readonly #sweeps: Sweeps;
  readonly #loop: BackgroundLoop;
  readonly #retained: RetainedLogWatch;
  #mode: 'off' | 'away' | 'waiting' | 'following' = 'off';
  #why: string | null = null;
  #gap: string | null = null;
  #faults: TableFault[] = [];
  /** Why the stored position cannot be used; null if it can. */
  #unusable: string | null = null;
  /** Ends this coordinator's term early. */
  #termOver = new AbortController();
  /** How many streams have broken since the last progress. */
  #breaks = 0;
  #oldestInFlightMs: number | null = null;
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
    this.#retained = new RetainedLogWatch(options);
    this.#loop = new BackgroundLoop({
      pass: (signal) => this.#pass(signal),
      backoff: BACKOFF,
      onFailure: (error) => this.#noteFailure(error),
      runtime: options.runtime,
    });
  }

  start(): void {
    if (this.#mode !== 'off') return;
    this.#mode = 'away';
    this.#why = 'it is not followed yet';
    this.#loop.start();
    this.#retained.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#loop.stop(), this.#retained.stop()]);
    this.#mode = 'off';
  }

  /**
   * Ends this term, because the resources have changed. The log is then followed again from the saved position, so some
   * changes are taken twice.
   */
  refollow(): void {
    this.#termOver.abort();
  }

  report(): ChangeLogReport {
    const { bytes: retainedBytes, warning: retainedWarning } = this.#retained;
    return { ...this.#progress(), retainedBytes, retainedWarning };
  }

  #progress(): Progress {
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

  #following(): Progress {
    const lagMs = this.#lagMs();
    const faults = this.#faults.map(({ table, message }) => `${table}: ${message}`);
    const details: string[] = [];
    const isSweeping = this.#sweeps.pending.length > 0;
    if (isSweeping) details.push(`sweeping ${this.#sweeps.pending.join(', ')}${this.#gapText()}`);
    const isBehind = lagMs > this.#options.behindMs;
    if (isBehind) details.push(`${(lagMs / 1_000).toFixed(1)} s behind`);
    const detail = [...details, ...faults].join('; ');
    return {
      state: isBehind ? 'behind' : isSweeping ? 'sweeping' : 'streaming',
      lagMs,
      detail: detail === '' ? null : detail,
    };
  }

  #gapText(): string {
    return this.#gap === null ? '' : `, because changes may be missing (${this.#gap})`;
  }

  #lagMs(): number {
    const { clock } = this.#options.runtime;
    if (this.#oldestInFlightMs !== null) {
      return Math.max(0, Math.round(clock.wallMs() - this.#oldestInFlightMs));
    }
    const last = this.#lastLag;
    return last === null || clock.nowMs() - last.atMs > LAG_FRESH_MS ? 0 : last.lagMs;
  }

  async #pass(signal: AbortSignal): Promise<number> {
    const hadTerm = await this.#options.positions.exclusively((term) => this.#follow(term, signal));
    if (hadTerm) return 0;
    await this.#readSaved();
    return WAIT_MS;
  }

  async #follow(term: LogTerm, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    this.#termOver = over;
    const end = (): void => over.abort();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    const options = { ...this.#options, sweeps: this.#sweeps };
    try {
      await new Follower(options, term, this.#events()).run(over.signal, this.#unusable);
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  #noteFailure(error: unknown): void {
    const message = whyOf(error);
    if (this.#mode === 'following') this.#breaks += 1;
    if (error instanceof PositionLost) this.#unusable = message;
    else if (this.#breaks >= MAX_BREAKS) this.#unusable = `it cannot be read further: ${message}`;
    if (this.#mode !== 'away' || this.#why !== message) {
      this.#options.runtime.log.warn(
        { err: error },
        'the change log is not followed; it is tried again',
      );
    }
    this.#mode = 'away';
    this.#why = message;
    this.#oldestInFlightMs = null;
  }

  /** Reads what the coordinator that follows the log has saved. */
  async #readSaved(): Promise<void> {
    const saved = await this.#options.positions.status();
    const isFollowed = saved !== null && saved.savedAgoMs < SAVED_STALE_MS;
    this.#mode = isFollowed ? 'waiting' : 'away';
    this.#why = isFollowed
      ? this.#notFollowed(saved.followed)
      : 'the coordinator that leads it saves no position';
    this.#lastLag =
      saved === null ? null : { lagMs: saved.lagMs, atMs: this.#options.runtime.clock.nowMs() };
  }

  /** What the leader does not follow, because its configuration is another; null if it follows everything. */
  #notFollowed(followed: string | null): string | null {
    const missing = newlyFollowed(followed, this.#options.resources.values());
    if (missing.length === 0) return null;
    return `the coordinator that follows it has another configuration of ${missing.join(', ')}: these entries can be old until it is reloaded or stopped`;
  }

  #events(): FollowerEvents {
    const { runtime } = this.#options;
    return {
      began: (gap) => {
        this.#mode = 'following';
        this.#why = null;
        if (this.#unusable !== null) this.#breaks = 0;
        this.#unusable = null;
        this.#gap = gap;
        runtime.log.info({}, 'the change log is followed');
      },
      progressed: () => {
        this.#breaks = 0;
      },
      faults: (faults) => this.#noteFaults(faults),
      batch: (oldestCommitAtMs) => {
        this.#oldestInFlightMs = oldestCommitAtMs;
      },
      applied: ({ changes, invalidations, bypassed }) => {
        const lagMs = this.#lagMs();
        if (this.#oldestInFlightMs !== null) {
          this.#lastLag = { lagMs, atMs: runtime.clock.nowMs() };
        }
        this.#oldestInFlightMs = null;
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
      this.#options.runtime.log.warn(
        { table, fault: message },
        'the change log does not contain all changes of a table',
      );
    }
    this.#faults = faults;
  }
}

/** The reason for `/readyz?verbose`, which anyone may read. A driver's text is left out: it names hosts and users. */
function whyOf(error: unknown): string {
  if (error instanceof PositionLost || error instanceof LockstepError) return error.message;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return `the database ended it (${typeof code === 'string' ? code : 'no reason given'})`;
}
