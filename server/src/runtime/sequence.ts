/** Runs tasks one after another, in the order in which they came. A task that fails stops no other. */
export class Sequence {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs the task once every earlier one has ended. Rejects if the task does. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const running = this.#last.catch(() => undefined).then(task);
    this.#last = running;
    return running;
  }

  /** Resolves when no task runs, however the last one ended. */
  async ended(): Promise<void> {
    await this.#last.catch(() => undefined);
  }
}
