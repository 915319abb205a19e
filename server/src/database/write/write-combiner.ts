/**
 * Combines writes that come while others are in flight: group commit, as in DeWitt et al. 1984, where a commit that is in
 * flight collects the next ones. Writes to different rows share a statement; writes of one key share a transaction.
 *
 * States of a write: alone (sent by itself) | in its key's line | waiting -> in a batch -> answered, or left over -> alone.
 *
 * Different rows. A write is sent alone while few are in flight. Beyond that it waits until one of `LANES` batches has
 * ended, and goes with all that wait beside it: how many that are follows the load by itself, and nobody waits for
 * company. A batch never waits for a row lock, so that a lane is always free again soon. What a batch does not answer has
 * not happened, and is sent alone; so is a whole batch that was refused for the sake of one of its writes.
 *
 * One key. Of the writes without a fence that can be combined at all, each key has one in flight (or one run). What comes
 * meanwhile waits in the key's line, and goes in order in one transaction when that one has ended. Two of them at once
 * would only wait for each other in the database, each with a connection of its own.
 */
import type { Timer, Timers } from '../../runtime/index.ts';
import type { Budget } from '../connections/connections.ts';
import type { RowWrite } from '../port.ts';
import { StatementFailure } from '../connections/statement-failure.ts';
import type { Attempt } from './attempt.ts';
import { KeyLines } from './key-lines.ts';
import type { InOrder } from './row-dialect.ts';

const MAX_ALONE = 2;
const LANES = 2;
const MAX_BATCH = 64;

export interface WriteCombinerOptions<Group extends object> {
  alone(write: RowWrite, budget: Budget): Promise<Attempt>;
  /** In order; null where a write was left over: nothing of it happened. All have different keys. */
  together(group: Group, writes: readonly RowWrite[]): Promise<(Attempt | null)[]>;
  /** What writes can go together with this one; null: none. */
  groupOf(write: RowWrite): Group | null;
  /** Writes of one key in one transaction, as in `RowDialect`. Absent: they go as those of different keys do. */
  ofOneKey?: {
    attempt: (writes: readonly RowWrite[], budget: Budget) => Promise<InOrder>;
    accepts(write: RowWrite): boolean;
  };
  timers: Pick<Timers, 'after'>;
  /** Longest wait for a lane or in a line; then the write fails as one that got no connection. */
  maxWaitMs: number;
}

interface Waiting<Group> {
  write: RowWrite;
  group: Group;
  resolve: (attempt: Attempt | null) => void;
  reject: (error: unknown) => void;
}

export class WriteCombiner<Group extends object> {
  readonly #options: WriteCombinerOptions<Group>;
  readonly #lines: KeyLines | null;
  #waiting: Waiting<Group>[] = [];
  readonly #notTogether = new WeakSet<Group>();
  #alone = 0;
  #batches = 0;
  #stuck: Timer | null = null;

  constructor(options: WriteCombinerOptions<Group>) {
    this.#options = options;
    const { ofOneKey, timers, maxWaitMs } = options;
    const alone = (write: RowWrite, budget: Budget): Promise<Attempt> =>
      this.#attempt(write, budget);
    this.#lines =
      ofOneKey === undefined
        ? null
        : new KeyLines({ alone, inOrder: ofOneKey.attempt, timers, maxWaitMs });
  }

  /** @throws StatementFailure */
  attempt(write: RowWrite, budget: Budget): Promise<Attempt> {
    // A holder's lock keeps others out already.
    return write.fence === undefined &&
      this.#lines !== null &&
      this.#options.ofOneKey?.accepts(write) === true
      ? this.#lines.attempt(write, budget)
      : this.#attempt(write, budget);
  }

  async #attempt(write: RowWrite, budget: Budget): Promise<Attempt> {
    const group = this.#options.groupOf(write);
    if (group === null || this.#notTogether.has(group)) return this.#options.alone(write, budget);
    if (this.#alone < MAX_ALONE && this.#batches === 0) return this.#sendAlone(write, budget);
    const attempt = await new Promise<Attempt | null>((resolve, reject) => {
      this.#waiting.push({ write, group, resolve, reject });
      this.#startBatches();
    });
    return attempt ?? this.#options.alone(write, budget);
  }

  async #sendAlone(write: RowWrite, budget: Budget): Promise<Attempt> {
    this.#alone++;
    try {
      return await this.#options.alone(write, budget);
    } finally {
      this.#alone--;
    }
  }

  #startBatches(): void {
    while (this.#batches < LANES && this.#waiting.length > 0) void this.#sendBatch(this.#take());
    if (this.#waiting.length > 0) this.#watch();
  }

  /** Those that wait longest, with the others of their group; one write of each key. */
  #take(): Waiting<Group>[] {
    const taken: Waiting<Group>[] = [];
    const left: Waiting<Group>[] = [];
    const keys = new Set<string>();
    const group = this.#waiting[0]?.group;
    for (const waiting of this.#waiting) {
      const { text } = waiting.write.key;
      const fits = waiting.group === group && taken.length < MAX_BATCH && !keys.has(text);
      (fits ? taken : left).push(waiting);
      keys.add(text);
    }
    this.#waiting = left;
    return taken;
  }

  async #sendBatch(batch: readonly Waiting<Group>[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    this.#batches++;
    try {
      const writes = batch.map(({ write }) => write);
      const attempts = await this.#options.together(first.group, writes);
      for (const [place, { resolve }] of batch.entries()) resolve(attempts[place] ?? null);
    } catch (error) {
      const mayGoAlone = this.#mayGoAlone(error, first.group);
      for (const { resolve, reject } of batch) {
        if (mayGoAlone) resolve(null);
        else reject(error);
      }
    } finally {
      this.#batches--;
      this.#startBatches();
    }
  }

  /** Nothing of the batch happened, and each of its writes may pass by itself. */
  #mayGoAlone(error: unknown, group: Group): boolean {
    if (!(error instanceof StatementFailure)) return false;
    // A table that cannot be locked row by row, such as a view with triggers: not asked again.
    if (error.kind === 'broken') this.#notTogether.add(group);
    return error.isTakenBack;
  }

  /** Where no lane has come free for so long, those that were waiting then have waited long enough. */
  #watch(): void {
    if (this.#stuck !== null) return;
    const watched = new Set(this.#waiting);
    this.#stuck = this.#options.timers.after(this.#options.maxWaitMs, () => {
      this.#stuck = null;
      const late = this.#waiting.filter((waiting) => watched.has(waiting));
      this.#waiting = this.#waiting.filter((waiting) => !watched.has(waiting));
      const cause = new StatementFailure({ kind: 'unreached', code: 'NO_LANE', cause: null });
      for (const { reject } of late) reject(cause);
      if (this.#waiting.length > 0) this.#watch();
    });
  }
}
