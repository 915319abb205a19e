/**
 * Keeps the writes of each key in line: one goes at a time, or a run of them in one transaction.
 *
 * States of a key: not here -> one write in flight (others wait) -> a run of those in flight -> … -> not here.
 *
 * Invariants
 *   - one write or one run of a key is in flight, never two
 *   - writes of a key go in the order in which they came
 *   - a run that was taken back has not happened: its writes go again, one after the other
 *   - nobody waits in line for longer than `maxWaitMs`; who does has not been sent
 */
import type { Timer, Timers } from '../../runtime/index.ts';
import type { Budget } from '../connections/connections.ts';
import { StatementFailure } from '../connections/statement-failure.ts';
import type { RowWrite } from '../port.ts';
import type { Attempt } from './attempt.ts';
import { canShare, MAX_IN_ORDER } from './ordered-writes.ts';
import type { InOrder } from './row-dialect.ts';

export interface KeyLinesOptions {
  alone(write: RowWrite, budget: Budget): Promise<Attempt>;
  /** Writes of one key in one transaction; as in `RowDialect`. */
  inOrder: (writes: readonly RowWrite[], budget: Budget) => Promise<InOrder>;
  timers: Pick<Timers, 'after'>;
  /** Longest wait in line; then the write fails as one that got no connection. */
  maxWaitMs: number;
}

interface Waiting {
  write: RowWrite;
  budget: Budget;
  timer: Timer | null;
  resolve: (attempt: Attempt) => void;
  reject: (error: unknown) => void;
}

/** In the order in which they came. Null while nobody waits, as for nearly every key. */
type Line = Set<Waiting> | null;

export class KeyLines {
  readonly #options: KeyLinesOptions;
  /** By the key's lock, while a write of it is in flight. */
  readonly #lines = new Map<string, Line>();

  constructor(options: KeyLinesOptions) {
    this.#options = options;
  }

  /** @throws StatementFailure */
  async attempt(write: RowWrite, budget: Budget): Promise<Attempt> {
    const { lockKey } = write.key;
    if (this.#lines.has(lockKey)) return this.#wait(lockKey, write, budget);
    this.#lines.set(lockKey, null);
    try {
      return await this.#options.alone(write, budget);
    } finally {
      this.#next(lockKey);
    }
  }

  #wait(lockKey: string, write: RowWrite, budget: Budget): Promise<Attempt> {
    const { timers, maxWaitMs } = this.#options;
    const line = this.#lines.get(lockKey) ?? new Set();
    this.#lines.set(lockKey, line);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { write, budget, timer: null, resolve, reject };
      waiting.timer = timers.after(maxWaitMs, () => {
        line.delete(waiting);
        reject(keyBusy());
      });
      line.add(waiting);
    });
  }

  #next(lockKey: string): void {
    const run = takeRun(this.#lines.get(lockKey) ?? null);
    if (run.length === 0) this.#lines.delete(lockKey);
    else void this.#send(run).then(() => this.#next(lockKey));
  }

  /** Never rejects. */
  async #send(run: readonly Waiting[]): Promise<void> {
    if (run.length === 1) return this.#sendEach(run);
    try {
      const writes = run.map(({ write }) => write);
      const sent = await this.#options.inOrder(writes, { startedAtMs: null });
      if ('attempts' in sent) answer(run, sent.attempts);
      else if (sent.failure.isTakenBack) await this.#sendEach(run);
      else throw sent.failure;
    } catch (error) {
      for (const { reject } of run) reject(error);
    }
  }

  /**
   * Sends them one after the other. If one gets no answer, the next ones would not get one either, and are not sent.
   * Never rejects.
   */
  async #sendEach(run: readonly Waiting[]): Promise<void> {
    let isStuck = false;
    for (const { write, budget, resolve, reject } of run) {
      if (isStuck) {
        reject(keyBusy());
        continue;
      }
      await this.#options.alone(write, budget).then(resolve, (error: unknown) => {
        isStuck = !(error instanceof StatementFailure) || !error.isTakenBack;
        reject(error);
      });
    }
  }
}

const keyBusy = (): StatementFailure =>
  new StatementFailure({ kind: 'unreached', code: 'KEY_BUSY', cause: null });

/** Takes those out of the line that may share a transaction, from the first on. */
function takeRun(line: Line): Waiting[] {
  if (line === null) return [];
  const run: Waiting[] = [];
  const writes: RowWrite[] = [];
  for (const waiting of line) {
    if (run.length === MAX_IN_ORDER || !canShare(writes, waiting.write)) break;
    waiting.timer?.cancel();
    line.delete(waiting);
    run.push(waiting);
    writes.push(waiting.write);
  }
  return run;
}

function answer(run: readonly Waiting[], attempts: readonly Attempt[]): void {
  for (const [index, { resolve, reject }] of run.entries()) {
    const attempt = attempts[index];
    if (attempt === undefined) reject(new Error('A write of a run got no answer.'));
    else resolve(attempt);
  }
}
