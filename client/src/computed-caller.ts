import { LockstepError } from './errors.ts';
import type { LoadCaller } from './loads.ts';
import type { ClientRuntime, Timer } from './runtime.ts';

/** One call of `computed`: it waits until its deadline or its signal. */
export class ComputedCaller implements LoadCaller {
  /** Rejects when the caller gives up. */
  readonly gaveUp: Promise<never>;
  readonly #timer: Timer;
  readonly #runtime: ClientRuntime;
  readonly #signal: AbortSignal | undefined;
  readonly #onEnd: (() => void)[] = [];
  #reject: (error: LockstepError) => void = () => undefined;
  #isOver = false;

  constructor(timeoutMs: number, signal: AbortSignal | undefined, runtime: ClientRuntime) {
    this.gaveUp = new Promise<never>((_, reject) => (this.#reject = reject));
    // Whoever waits for it hears of it.
    this.gaveUp.catch(() => undefined);
    this.#signal = signal;
    this.#runtime = runtime;
    this.#timer = runtime.after(timeoutMs, () => this.#giveUp('TIMEOUT'));
    if (signal?.aborted === true) this.#aborted();
    else signal?.addEventListener('abort', this.#aborted, { once: true });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  onEnd(left: () => void): void {
    if (this.#isOver) left();
    else this.#onEnd.push(left);
  }

  /** Resolves after this time, or when the caller ends. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#runtime.after(ms, resolve);
      this.onEnd(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer.cancel();
    this.#signal?.removeEventListener('abort', this.#aborted);
    for (const left of this.#onEnd.splice(0)) left();
  }

  readonly #aborted = (): void => this.#giveUp('ABORTED');

  #giveUp(code: 'TIMEOUT' | 'ABORTED'): void {
    const text = code === 'TIMEOUT' ? 'There was no answer in time.' : 'The caller gave it up.';
    const cause: unknown = code === 'ABORTED' ? this.#signal?.reason : undefined;
    this.#reject(new LockstepError(code, text, { cause }));
    this.end();
  }
}
