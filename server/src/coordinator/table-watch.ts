/**
 * Checks the tables of the resources regularly, so that a change of their columns is followed without a reload.
 *
 * A check takes one to three short statements for each table. With many tables it is repeated less often, so that it
 * uses at most a sixth of one connection's time.
 */
import { BackgroundLoop } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';

const EVERY_MS = 2_000;
const AT_LEAST_EVERY_MS = 30_000;
/** The pause after a check is longer than the check by this factor. */
const PAUSE_FACTOR = 5;

export function createTableWatch(
  reloads: { followTables(): Promise<void> },
  runtime: Runtime,
): BackgroundLoop {
  const { clock, log } = runtime;
  return new BackgroundLoop({
    firstPauseMs: () => EVERY_MS,
    pass: async () => {
      const startedAtMs = clock.nowMs();
      await reloads.followTables();
      return Math.min(AT_LEAST_EVERY_MS, EVERY_MS + PAUSE_FACTOR * (clock.nowMs() - startedAtMs));
    },
    backoff: { minMs: EVERY_MS, maxMs: EVERY_MS, jitter: 'equal' },
    onFailure: (error) => log.debug({ err: error }, 'the tables could not be checked yet'),
    runtime,
  });
}
