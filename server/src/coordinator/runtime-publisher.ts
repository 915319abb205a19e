/**
 * Writes `runtime.json` one time after the other: two servers that come back at the same moment would otherwise race,
 * and the file could keep the older state.
 */
export class RuntimePublisher {
  readonly #publish: () => Promise<void>;
  #last: Promise<void> = Promise.resolve();

  /** @param publish writes what is true at the moment when it is called */
  constructor(publish: () => Promise<void>) {
    this.#publish = publish;
  }

  /** Writes once everything asked for before has been written; rejects where this write fails. */
  write(): Promise<void> {
    const next = this.#last.catch(() => undefined).then(() => this.#publish());
    this.#last = next;
    return next;
  }

  /** Resolves when nothing is being written, however the last write ended. */
  async written(): Promise<void> {
    await this.#last.catch(() => undefined);
  }
}
