/**
 * Looks regularly whether the capture triggers are still as they should be. If somebody removes or disables them while
 * a coordinator runs, old values would stay in the cache, and nothing else would show it.
 */
import { captureStatus } from '../capture/index.ts';
import type { SqlRunner } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import { BackgroundLoop } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';

const EVERY_MS = 5_000;
/** The pause after a look is longer than the look by this factor. */
const PAUSE_FACTOR = 20;

export class CaptureWatch {
  readonly #loop: BackgroundLoop;
  #fault: string | null = null;

  constructor(sql: SqlRunner, resources: ReadonlyMap<string, Resource>, runtime: Runtime) {
    const { clock, log } = runtime;
    const look = async (): Promise<void> => {
      const tables = await captureStatus(sql, [...resources.values()]);
      const lines = tables.flatMap(({ table, state, reason }) => {
        const why = reason === null ? '' : ` (${reason})`;
        return state === 'installed' ? [] : [`the triggers of ${table} are ${state}${why}`];
      });
      const fault = lines.length === 0 ? null : `${lines.join('; ')}: run lockstep capture install`;
      if (fault !== this.#fault) {
        if (fault === null) log.info({}, 'all capture triggers are installed again');
        else log.error({ fault }, 'changes by other programs are not noticed');
      }
      this.#fault = fault;
    };
    this.#loop = new BackgroundLoop({
      firstPauseMs: () => EVERY_MS,
      pass: async () => {
        const startedAtMs = clock.nowMs();
        await look();
        return EVERY_MS + PAUSE_FACTOR * (clock.nowMs() - startedAtMs);
      },
      backoff: { minMs: EVERY_MS, maxMs: EVERY_MS, jitter: 'equal' },
      onFailure: (error) => log.debug({ err: error }, 'the triggers could not be looked at yet'),
      runtime,
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Which triggers are not as they should be, as of the last look; null if all are. */
  get fault(): string | null {
    return this.#fault;
  }
}
