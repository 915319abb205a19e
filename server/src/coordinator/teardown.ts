import type { Log } from '../runtime/index.ts';

/** Steps that undo what a start has done, run in the opposite order. If one fails, the others still run. */
export class Teardown {
  readonly #log: Log;
  readonly #steps: { name: string; run: () => Promise<void> | void | undefined }[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  add(name: string, run: () => Promise<void> | void | undefined): void {
    this.#steps.push({ name, run });
  }

  /** Runs each step once. Never rejects. */
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.run();
      } catch (error) {
        this.#log.error({ err: error, step: step.name }, 'a step of the stop failed');
      }
    }
  }
}
