import type { Timers } from './ports.ts';

export interface RoundsSettings<Call, Answer> {
  timers: Pick<Timers, 'soon'>;
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
 *   idle       the next call goes at once, so that a lone caller waits for nothing, and opens a round
 *   gathering  until the events at hand are handled, further calls wait; then they go together
 *
 * Calls go out in the order in which they came.
 */
export class Rounds<Call, Answer> {
  readonly #settings: RoundsSettings<Call, Answer>;
  #isGathering = false;
  #waiting: Waiting<Call, Answer>[] = [];

  constructor(settings: RoundsSettings<Call, Answer>) {
    this.#settings = settings;
  }

  add(call: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ call, resolve, reject });
      if (!this.#isGathering) {
        this.#isGathering = true;
        this.#settings.timers.soon(() => this.#close());
        this.#send();
      } else if (this.#waiting.length >= this.#settings.maxCalls) this.#send();
    });
  }

  #close(): void {
    this.#isGathering = false;
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
