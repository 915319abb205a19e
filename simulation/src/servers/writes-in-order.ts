/** Writes of one key that share transactions, by the shipped engine's own rules of who shares with whom. */
import {
  type FailureKind,
  StatementFailure,
  toDatabaseError,
} from '../../../server/src/database/connections/statement-failure.ts';
import type { RowStore, RowWrite, RowWriteResult } from '../../../server/src/database/port.ts';
import type { Attempt } from '../../../server/src/database/write/attempt.ts';
import { KeyLines } from '../../../server/src/database/write/key-lines.ts';
import { OrderedWrites } from '../../../server/src/database/write/ordered-writes.ts';
import type { InOrder } from '../../../server/src/database/write/row-dialect.ts';
import type { Timers } from '../../../server/src/runtime/ports.ts';
import { Unanswered } from '../world/network.ts';
import { TIMING } from '../world/timing.ts';
import type { MemoryDatabase } from './memory-database.ts';
import type { SendToDatabase } from './send-to-database.ts';

type WriteOne = (write: RowWrite) => Promise<RowWriteResult>;

export class WritesInOrder {
  readonly #database: MemoryDatabase;
  readonly #send: SendToDatabase;
  readonly #writeOne: WriteOne;
  readonly #lines: KeyLines;
  readonly #ordered: OrderedWrites;
  /** The database's own answers, by the attempts that stand for them. */
  readonly #results = new WeakMap<Attempt, RowWriteResult>();

  constructor(
    database: MemoryDatabase,
    send: SendToDatabase,
    writeOne: WriteOne,
    timers: Pick<Timers, 'after'>,
  ) {
    this.#database = database;
    this.#send = send;
    this.#writeOne = writeOne;
    const inOrder = (writes: readonly RowWrite[]): Promise<InOrder> => this.#inOrder(writes);
    this.#lines = new KeyLines({
      alone: async (write) => this.#attemptOf(await writeOne(write)),
      inOrder,
      timers,
      maxWaitMs: TIMING.databaseMs,
    });
    this.#ordered = new OrderedWrites({
      dialect: { goesInOrder: isCombined, attemptInOrder: inOrder },
      alone: writeOne,
      answerOf: (_, attempt) => Promise.resolve(this.#results.get(attempt) ?? null),
    });
  }

  /** As `WriteCombiner` does it: without a fence, behind those of the same key that are in flight. */
  async write(write: RowWrite): Promise<RowWriteResult> {
    if (write.fence !== undefined || !isCombined(write)) return this.#writeOne(write);
    try {
      const attempt = await this.#lines.attempt(write, { startedAtMs: null });
      const result = this.#results.get(attempt);
      if (result === undefined) throw new Error('an attempt without its result');
      return result;
    } catch (error) {
      throw toDatabaseError(error, 'write');
    }
  }

  writeAll(writes: readonly RowWrite[]): ReturnType<RowStore['writeInOrder']> {
    return this.#ordered.run(writes);
  }

  /** As one transaction. One without an answer is lost to all of them. */
  async #inOrder(writes: readonly RowWrite[]): Promise<InOrder> {
    const [first, ...rest] = writes;
    if (first === undefined) return { attempts: [] };
    const fences = writes.flatMap(({ fence }) => fence ?? []);
    const statement = {
      name: `${writes.length} writes of ${fences.join(' ')}`,
      about: first.key.cacheKey,
      // What carries neither a fence nor an idempotency key would apply twice.
      repeatable: writes.every(
        ({ fence, idempotency }) => fence !== undefined || idempotency !== undefined,
      ),
    };
    try {
      const answer = await this.#send(statement, () =>
        this.#database.writeInOrder([first, ...rest]),
      );
      if ('refusedAt' in answer) return { failure: failed('refused'), at: answer.refusedAt };
      return { attempts: answer.results.map((result) => this.#attemptOf(result)) };
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      return { failure: failed(error.why === 'refused' ? 'unreached' : 'lost'), at: 0 };
    }
  }

  #attemptOf(result: RowWriteResult): Attempt {
    const attempt: Attempt = result.status === 'applied' ? result : { status: 'not-admitted' };
    this.#results.set(attempt, result);
    return attempt;
  }
}

const isCombined = ({ verify }: RowWrite): boolean => verify === undefined;

const failed = (kind: FailureKind): StatementFailure =>
  new StatementFailure({ kind, code: 'SIMULATED', cause: null });
