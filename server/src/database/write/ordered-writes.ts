/**
 * Writes of one key that go through in order. Those that can share a transaction do: one round trip and one commit for
 * all of them, and each still has its own version, outbox row, outcome and answer.
 *
 *   a run of writes that may share -> one transaction -> each answered (W16)
 *                                  -> taken back for one of them: those before it once more together, all others alone
 *                                  -> no answer: every write of the run is unknown
 *
 * After a write that failed with an error nothing more is sent: its statement may still be in flight (W17), and what
 * kept it from an answer would keep the others too, one after the other.
 */
import { LockstepError } from '../../domain/index.ts';
import { StatementFailure, toDatabaseError } from '../connections/statement-failure.ts';
import type { RowWrite, RowWriteResult } from '../port.ts';
import type { Attempt } from './attempt.ts';
import type { RowDialect } from './row-dialect.ts';

/** Most writes of one transaction: what one caller waits for at most, and what one failure takes back. */
export const MAX_IN_ORDER = 64;

type Ended = RowWriteResult | Error | null;

export interface OrderedWritesOptions {
  dialect: Pick<RowDialect, 'attemptInOrder' | 'goesInOrder'>;
  /** Carries out one write by itself. */
  alone(write: RowWrite): Promise<RowWriteResult>;
  /** The answer that a finished attempt stands for; null where the write must be tried again. */
  answerOf(write: RowWrite, attempt: Attempt): Promise<RowWriteResult | null>;
}

export class OrderedWrites {
  readonly #options: OrderedWritesOptions;

  constructor(options: OrderedWritesOptions) {
    this.#options = options;
  }

  /** Never rejects. As `RowStore.writeInOrder`. */
  async run(writes: readonly RowWrite[]): Promise<Ended[]> {
    const ended: Ended[] = [];
    while (ended.length < writes.length) {
      const run = this.#runFrom(writes, ended.length);
      ended.push(...(await (run.length === 1 ? this.#each(run) : this.#together(run))));
      if (ended.some(isError)) break;
    }
    return writes.map((_, index) => ended[index] ?? null);
  }

  /** The next writes that may share a transaction; the next one alone where it may not. */
  #runFrom(writes: readonly RowWrite[], from: number): readonly RowWrite[] {
    const { dialect } = this.#options;
    const run: RowWrite[] = [];
    for (const write of writes.slice(from, from + MAX_IN_ORDER)) {
      if (run.length > 0 && !canShare(run, write)) break;
      if (dialect.goesInOrder?.(write) !== true) return run.length === 0 ? [write] : run;
      run.push(write);
    }
    return run;
  }

  async #together(run: readonly RowWrite[]): Promise<Ended[]> {
    const sent = await this.#attempt(run);
    if ('attempts' in sent) return this.#answers(run, sent.attempts);
    const { failure, at } = sent;
    if (!failure.isTakenBack) return run.map(() => asError(failure));
    // Nothing of it happened, and each write may pass by itself.
    const before = run.slice(0, failure.kind === 'refused' ? at : 0);
    if (before.length < 2 || before.length === run.length) return this.#each(run);
    const first = await this.#together(before);
    if (first.some(isError)) return first;
    return [...first, ...(await this.#each(run.slice(before.length)))];
  }

  async #attempt(run: readonly RowWrite[]): ReturnType<NonNullable<RowDialect['attemptInOrder']>> {
    const { dialect } = this.#options;
    try {
      const sent = await dialect.attemptInOrder?.(run, { startedAtMs: null });
      if (sent === undefined) throw new LockstepError('INTERNAL', 'These writes share nothing.');
      return sent;
    } catch (error) {
      if (error instanceof StatementFailure) return { failure: error, at: 0 };
      throw error;
    }
  }

  #answers(run: readonly RowWrite[], attempts: readonly Attempt[]): Promise<Ended[]> {
    const options = this.#options;
    // Once one of them is applied, the fence that is stored is this holder's. What else refuses the others now is true.
    const areFencesAdmitted = attempts.some(({ status }) => status === 'applied');
    return Promise.all(
      run.map(async (write, index): Promise<Ended> => {
        const attempt = attempts[index];
        try {
          if (attempt === undefined) throw new LockstepError('INTERNAL', 'A write has no answer.');
          const asked = areFencesAdmitted ? withoutFence(write) : write;
          return (await options.answerOf(asked, attempt)) ?? (await options.alone(write));
        } catch (error) {
          return asError(error);
        }
      }),
    );
  }

  async #each(writes: readonly RowWrite[]): Promise<Ended[]> {
    const ended: Ended[] = [];
    for (const write of writes) {
      const result = await this.#options.alone(write).catch(asError);
      ended.push(result);
      if (isError(result)) break;
    }
    return [...ended, ...writes.slice(ended.length).map(() => null)];
  }
}

/** A repeat of an idempotency key shares no transaction with the first: its answer is the outcome that one stores. */
export const canShare = (run: readonly RowWrite[], { idempotency }: RowWrite): boolean =>
  idempotency === undefined || run.every((one) => one.idempotency?.key !== idempotency.key);

const withoutFence = ({ fence: _fence, ...write }: RowWrite): RowWrite => write;

const isError = (ended: Ended): boolean => ended instanceof Error;

function asError(error: unknown): Error {
  const translated = toDatabaseError(error, 'write');
  return translated instanceof Error ? translated : new Error(String(translated));
}
