import type { Timers } from './ports.ts';

export interface BatcherOptions<Call, Answer> {
  timers: Pick<Timers, 'soon'>;
  /** Calls of one kind may go together; by default all calls are of one kind. */
  kindOf?: (call: Call) => unknown;
  /** The first call waits too: each batch has all calls of its moment, and a lone caller waits that moment. */
  waitsForAll?: boolean;
  /** Most calls of one batch. */
  maxCalls: number;
  /** Sends the calls of a batch; resolves with their answers in the same order, or rejects for all of them. */
  send(calls: readonly Call[]): Promise<readonly (Answer | Error)[]>;
}

interface Waiting<Call, Answer> {
  call: Call;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

/**
 * Sends the calls of one moment as one batch: a round trip costs both ends more than what it carries.
 *
 * States
 *   idle       the next call opens a batch
 *   gathering  until the events at hand are handled. The first call of each kind is sent at once, so that a lone caller
 *              does not wait; after the first call of a kind that repeats, calls wait and are sent together. With
 *              `waitsForAll` the first waits as well
 *
 * Calls are sent in the order in which they came.
 */
export class Batcher<Call, Answer> {
  readonly #options: BatcherOptions<Call, Answer>;
  #waiting: Waiting<Call, Answer>[] = [];
  /** The kinds of the open batch; empty while idle. */
  readonly #kinds = new Set<unknown>();

  constructor(options: BatcherOptions<Call, Answer>) {
    this.#options = options;
  }

  add(call: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { timers, maxCalls, kindOf, waitsForAll = false } = this.#options;
      if (this.#kinds.size === 0) timers.soon(() => this.#close());
      const isFirst =
        !waitsForAll && !this.#kinds.has(kindOf?.(call)) && this.#waiting.length === 0;
      this.#kinds.add(kindOf?.(call));
      this.#waiting.push({ call, resolve, reject });
      if (isFirst || this.#waiting.length >= maxCalls) this.#send();
    });
  }

  #close(): void {
    this.#kinds.clear();
    if (this.#waiting.length > 0) this.#send();
  }

  #send(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#options.send(batch.map(({ call }) => call)).then(
      (answers) => answer(batch, answers),
      (error: unknown) => {
        for (const { reject } of batch) reject(error);
      },
    );
  }
}

function answer<Call, Answer>(
  batch: readonly Waiting<Call, Answer>[],
  answers: readonly (Answer | Error)[],
): void {
  for (const [index, { resolve, reject }] of batch.entries()) {
    const found = answers[index];
    if (found === undefined) reject(new Error('A call of a batch got no answer.'));
    else if (found instanceof Error) reject(found);
    else resolve(found);
  }
}
