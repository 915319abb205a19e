import { type Config, ConfigError, formatFault } from '../config/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { checkServers, type ServerUrls } from './check-servers.ts';

const LOOK_EVERY_MS = 500;

/**
 * Resolves when every checked server passes every check. Waits for servers that do not answer, because containers start
 * in any order, but not if a server answers and is wrong.
 * @param waitMs how long, from now
 * @throws ConfigError with the lines that `lockstep check` prints
 */
export async function serversReady(
  config: Config,
  urls: ServerUrls,
  { runtime, waitMs, signal }: { runtime: Runtime; waitMs: number; signal: AbortSignal },
): Promise<void> {
  const { clock, timers, log } = runtime;
  const deadlineMs = clock.nowMs() + waitMs;
  for (let isFirst = true; ; isFirst = false) {
    const { faults, absent, spare, warnings } = await checkServers(config, urls, runtime);
    if (faults.length > 0 || (absent.length > 0 && isOver(deadlineMs, signal, clock))) {
      throw new ConfigError([...faults, ...absent]);
    }
    if (absent.length === 0) {
      for (const warning of [...spare, ...warnings]) log.warn({}, formatFault(warning));
      return;
    }
    if (isFirst) {
      const lines = absent.map(formatFault);
      log.warn({ servers: lines, waitMs }, `waiting for servers: ${lines.join(' | ')}`);
    }
    await timers.sleep(LOOK_EVERY_MS);
  }
}

const isOver = (deadlineMs: number, { aborted }: AbortSignal, clock: Runtime['clock']): boolean =>
  aborted || clock.nowMs() >= deadlineMs;
