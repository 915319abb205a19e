/**
 * One replica.
 *
 * States
 *   new    nothing is known about it; it is not read
 *   up     it answered its last poll, and is a replica of this primary; it may be read
 *   down   a read or a poll failed, or it is not a replica of this primary; it is polled again after a backoff
 *
 * Invariant: a row is returned only if the replica confirmed, on the same connection and before reading the row, that
 * it has reached every needed position.
 */
import type { ReplicaDatabase } from '../database/index.ts';
import { covers, type Key, type LogPosition, UNKNOWN_POSITION } from '../domain/index.ts';
import { Backoff, type BackoffOptions } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { positionText } from './dialect.ts';
import type { ReplicaReport, ReplicaRow } from './port.ts';
import { identityOf, type PrimaryPositions, type Sample } from './primary-positions.ts';
import { within } from './within.ts';

const POLL_MS = 1_000;
const READ_MS = 1_000;
const DOWN_BACKOFF: BackoffOptions = { minMs: 250, maxMs: 10_000, jitter: 'equal' };
/** A replica that is further behind than this is reported as slow. */
const BEHIND_MS = 5_000;
/** How many of the latest samples are compared with what a read has reached. */
const LATEST = 8;

export interface ReplicaOptions {
  name: string;
  database: ReplicaDatabase;
  primary: PrimaryPositions;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'random' | 'log'>;
}

export class Replica {
  readonly #options: ReplicaOptions;
  #state: 'new' | 'up' | 'down' = 'new';
  #fault: string | null = null;
  readonly #backoff: Backoff;
  #retryAtMs = -Infinity;
  #sinceWallMs: number;
  #rttMs: number | null = null;
  /** The position that it had reached at the last answered poll. */
  #at: string | null = null;
  #atMs = -Infinity;
  /** Whether it had everything that the primary had at its last poll. */
  #hadAll = false;
  #isKnown = false;
  #isPolled = false;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#backoff = new Backoff(DOWN_BACKOFF, options.runtime.random);
    this.#sinceWallMs = options.runtime.clock.wallMs();
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Whether it is worth asking: at its last poll it had reached all of these, or everything that the primary had. */
  mayHave(needed: readonly LogPosition[]): boolean {
    const { dialect } = this.#options.primary;
    const at = this.#at;
    if (!this.isUp || dialect === null || at === null) return false;
    return this.#hadAll || needed.every((position) => dialect.hasReached(at, position));
  }

  /** The row; null if it has not reached what is needed. Rejects if the read fails, and the replica is then down. */
  async read(key: Key, needed: readonly LogPosition[]): Promise<ReplicaRow | null> {
    const { primary, runtime, database } = this.#options;
    const { dialect } = primary;
    if (dialect === null) return null;
    try {
      const reading = database.readSurrounded(key, dialect.replica);
      const { before, row, after } = await within(runtime.timers, READ_MS, reading);
      const text = positionText(before);
      if (text === null) throw new NoReplica('it does not replicate');
      this.#note(text);
      if (!needed.every((position) => dialect.hasReached(text, position))) return null;
      const end = positionText(after);
      const upTo = end === null ? null : dialect.parse(end);
      return { row, reached: this.#reached(text, needed), upTo: upTo ?? UNKNOWN_POSITION };
    } catch (error) {
      this.#takeDown(error);
      throw error;
    }
  }

  /** Asks for its position. Never rejects. */
  async poll(): Promise<void> {
    const { clock, timers } = this.#options.runtime;
    const { newest, dialect } = this.#options.primary;
    if (this.#isPolled || (this.#state === 'down' && clock.nowMs() < this.#retryAtMs)) return;
    this.#isPolled = true;
    const startedMs = clock.nowMs();
    try {
      const at = await within(timers, POLL_MS, this.#ask());
      this.#hadAll = newest !== null && dialect?.hasReached(at, newest.position) === true;
      this.#rttMs = Math.round((clock.nowMs() - startedMs) * 100) / 100;
      this.#backoff.reset();
      this.#fault = null;
      this.#enter('up');
    } catch (error) {
      this.#takeDown(error);
    } finally {
      this.#isPolled = false;
    }
  }

  /**
   * How far it is behind, at least: how long ago the primary was at the oldest known position that it has yet to reach.
   * 0 if it had caught up at its last poll, null if nothing is known.
   */
  lagMs(): number | null {
    const { dialect, samples } = this.#options.primary;
    const at = this.#at;
    if (dialect === null || at === null) return null;
    const missing = samples.findLastIndex(({ position }) => dialect.hasReached(at, position)) + 1;
    const sample = samples[missing];
    return sample === undefined ? 0 : this.#options.runtime.clock.nowMs() - sample.takenAtMs;
  }

  report(): ReplicaReport {
    const lagMs = this.lagMs();
    const base = { name: this.#options.name, sinceMs: this.#sinceWallMs, lagMs };
    if (this.#state !== 'up') {
      const fault = this.#fault ?? 'it has not answered yet';
      return { ...base, status: 'down', rttMs: null, fault };
    }
    if (lagMs === null || lagMs <= BEHIND_MS) return { ...base, status: 'up', rttMs: this.#rttMs };
    const fault = `${Math.round(lagMs / 1_000)} s behind the primary`;
    return { ...base, status: 'slow', rttMs: this.#rttMs, fault };
  }

  async #ask(): Promise<string> {
    const { primary, database } = this.#options;
    const { dialect } = primary;
    if (dialect === null) throw new NoReplica('the primary has not answered yet');
    this.#refuseAhead(primary.newest);
    if (!this.#isKnown && primary.identity !== null) {
      const identity = await identityOf(database.sql, dialect);
      const fault = identity === null ? null : dialect.identityFault(primary.identity, identity);
      if (fault !== null) throw new NoReplica(fault);
    }
    const text = positionText((await database.sql.run(dialect.replica)).rows[0]);
    if (text === null) throw new NoReplica('it does not replicate');
    this.#note(text);
    if (!this.#isKnown) {
      if ((await primary.current()) === null) throw new NoReplica('the primary does not answer');
      this.#refuseAhead(primary.newest);
      this.#isKnown = true;
    }
    return text;
  }

  /** @throws NoReplica if it had more than the primary had afterwards */
  #refuseAhead(sample: Sample | null): void {
    const { dialect } = this.#options.primary;
    if (this.#at === null || sample === null || sample.takenAtMs < this.#atMs) return;
    if (dialect?.isAhead(this.#at, sample.position) !== true) return;
    this.#at = null;
    throw new NoReplica('it has more than the primary, and so follows another');
  }

  #note(text: string): void {
    this.#at = text;
    this.#atMs = this.#options.runtime.clock.nowMs();
  }

  /** The latest known position of the primary that a read has reached. */
  #reached(text: string, needed: readonly LogPosition[]): LogPosition {
    const { dialect, samples } = this.#options.primary;
    const latest = samples
      .slice(-LATEST)
      .findLast(({ position }) => dialect?.hasReached(text, position) === true);
    const reached = needed.reduce(laterOf, latest?.position ?? '0');
    return reached;
  }

  #takeDown(error: unknown): void {
    const { clock, log } = this.#options.runtime;
    this.#retryAtMs = clock.nowMs() + this.#backoff.nextMs();
    // Another server may answer at this address the next time.
    this.#isKnown = false;
    this.#fault = error instanceof NoReplica ? error.message : 'it does not answer';
    if (this.isUp) {
      log.warn(
        { err: error, replica: this.#options.name },
        'a replica is not read until it answers polls again',
      );
    }
    this.#enter('down');
  }

  #enter(state: 'up' | 'down'): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#sinceWallMs = this.#options.runtime.clock.wallMs();
  }
}

const laterOf = (one: LogPosition, other: LogPosition): LogPosition =>
  covers(one, other) ? one : other;

/** The server is not a replica that can be read. The message says why, for operators. */
class NoReplica extends Error {}
