import type { Timers } from './ports.ts';

export interface RoundsSettings<Call, Answer> {
  timers: Pick<Timers, 'soon'>;
  /** What calls go well together with; by default all do. */
  kindOf?: (call: Call) => unknown;
  /** Bound on the calls of one sending. */
  maxCalls: number;
  /** Sends calls, in order; answers each in the same order, or rejects for all of them. */
  send(calls: readonly Call[]): Promise<readonly (Answer | Error)[]>;
}

interface Waiting<Call, Answer> {
  call: Call;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

/**
 * Sends the calls of one moment together: a round trip costs both ends more than what it carries.
 *
 * States
 *   idle       the next call opens a round
 *   gathering  until the events at hand are handled: the first call of each kind goes at once, so that a lone caller
 *              waits for nothing; from the first one on that is not, calls wait and then go together
 *
 * Calls go out in the order in which they came.
 */
export class Rounds<Call, Answer> {
  readonly #settings: RoundsSettings<Call, Answer>;
  #waiting: Waiting<Call, Answer>[] = [];
  /** Kinds of the round that is open; empty while idle. */
  readonly #kinds = new Set<unknown>();

  constructor(settings: RoundsSettings<Call, Answer>) {
    this.#settings = settings;
  }

  add(call: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { timers, maxCalls, kindOf } = this.#settings;
      if (this.#kinds.size === 0) timers.soon(() => this.#close());
      const isFirst = !this.#kinds.has(kindOf?.(call)) && this.#waiting.length === 0;
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
    const round = this.#waiting;
    this.#waiting = [];
    this.#settings.send(round.map(({ call }) => call)).then(
      (answers) => settle(round, answers),
      (error: unknown) => {
        for (const { reject } of round) reject(error);
      },
    );
  }
}

function settle<Call, Answer>(
  round: readonly Waiting<Call, Answer>[],
  answers: readonly (Answer | Error)[],
): void {
  for (const [index, { resolve, reject }] of round.entries()) {
    const answer = answers[index];
    if (answer === undefined) reject(new Error('A call of a round got no answer.'));
    else if (answer instanceof Error) reject(answer);
    else resolve(answer);
  }
}
