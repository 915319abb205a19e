/**
 * Looks again and again at the tables of the resources, so that a change of their columns is followed by itself.
 *
 * A look takes one to three short statements a table. With many tables it is repeated less often: at most a sixth of
 * one connection's time goes into it.
 */
import type { Runtime } from '../runtime/index.ts';

const EVERY_MS = 2_000;
const AT_LEAST_EVERY_MS = 30_000;
const SHARE = 5;

export class TableWatch {
  readonly #reloads: { followTables(): Promise<void> };
  readonly #runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>;
  readonly #stopping = new AbortController();
  #running: Promise<void> | null = null;

  constructor(
    reloads: { followTables(): Promise<void> },
    runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>,
  ) {
    this.#reloads = reloads;
    this.#runtime = runtime;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, timers, log } = this.#runtime;
    const { signal } = this.#stopping;
    for (let pauseMs = EVERY_MS; ;) {
      await timers.sleep(pauseMs, signal);
      if (signal.aborted) return;
      const startedAtMs = clock.nowMs();
      await this.#reloads.followTables().catch((error: unknown) => {
        log.debug({ err: error }, 'the tables could not be looked at; they will be again');
      });
      pauseMs = Math.min(AT_LEAST_EVERY_MS, EVERY_MS + SHARE * (clock.nowMs() - startedAtMs));
    }
  }
}
