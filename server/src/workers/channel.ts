/**
 * Questions and answers between a coordinator's parent process and one of its workers.
 *
 * States: open -> closed. Once it is closed, every question that waits for its answer fails, and so does each further one.
 * Invariant: a question is answered at most once, and fails if no answer comes within its time.
 */
import { type FieldFault } from '@lockstep/shared';
import { ConfigError } from '../config/index.ts';
import type { Runtime } from '../runtime/index.ts';

/** What one side may be asked: the question and the answer, by name. Both must survive structured cloning. */
export type Contract = Record<string, { question: unknown; answer: unknown }>;

/** How one side answers what it may be asked. */
export type Answers<C extends Contract> = {
  [Name in keyof C]: (question: C[Name]['question']) => Promise<C[Name]['answer']>;
};

/** The pipe between the two processes. */
export interface Pipe {
  /** False or an exception: it is closed. */
  send(message: object): void;
  onMessage(listener: (message: unknown) => void): void;
}

type Message =
  | { kind: 'ask'; id: number; name: string; question: unknown }
  | { kind: 'answer'; id: number; answer: unknown }
  | { kind: 'failed'; id: number; message: string; faults: readonly FieldFault[] | null };

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** The other process ended, or gave no answer in time. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

export class Channel<Asked extends Contract, Answered extends Contract> {
  readonly #pipe: Pipe;
  readonly #answers: Answers<Answered>;
  readonly #timers: Runtime['timers'];
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #isClosed = false;

  constructor(pipe: Pipe, answers: Answers<Answered>, { timers }: Pick<Runtime, 'timers'>) {
    this.#pipe = pipe;
    this.#answers = answers;
    this.#timers = timers;
    pipe.onMessage((message) => this.#take(message as Message));
  }

  /**
   * Asks the other side.
   * @param timeoutMs null: as long as the other process lives
   * @throws NoAnswer, ConfigError, or an error with the other side's message
   */
  ask<Name extends keyof Asked & string>(
    name: Name,
    question: Asked[Name]['question'],
    timeoutMs: number | null,
  ): Promise<Asked[Name]['answer']> {
    if (this.#isClosed) return Promise.reject(new NoAnswer('The process has ended.'));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const late =
        timeoutMs === null
          ? null
          : this.#timers.after(timeoutMs, () =>
              this.#settle(id)?.reject(new NoAnswer(`No answer within ${timeoutMs} ms.`)),
            );
      this.#waiting.set(id, {
        resolve: (answer) => {
          late?.cancel();
          resolve(answer);
        },
        reject: (error) => {
          late?.cancel();
          reject(error);
        },
      });
      this.#send({ kind: 'ask', id, name, question });
    });
  }

  /** The other process has ended. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const id of [...this.#waiting.keys()])
      this.#settle(id)?.reject(new NoAnswer('The process has ended.'));
  }

  #take(message: Message): void {
    switch (message.kind) {
      case 'ask':
        return void this.#answer(message.id, message.name, message.question);
      case 'answer':
        return this.#settle(message.id)?.resolve(message.answer);
      case 'failed':
        return this.#settle(message.id)?.reject(errorOf(message));
    }
  }

  /** Never rejects. */
  async #answer(id: number, name: string, question: unknown): Promise<void> {
    try {
      const answer = await this.#answers[name]?.(question);
      this.#send({ kind: 'answer', id, answer });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const faults = error instanceof ConfigError ? error.faults : null;
      this.#send({ kind: 'failed', id, message, faults });
    }
  }

  #send(message: Message): void {
    try {
      this.#pipe.send(message);
    } catch {
      this.close();
    }
  }

  /** Takes a question off the list; undefined if it is settled already. */
  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}

const errorOf = ({ message, faults }: Message & { kind: 'failed' }): Error =>
  faults === null ? new Error(message) : new ConfigError(faults);
