import type { FieldFault } from '@lockstep/shared';
import { CacheConnection } from '../cache/index.ts';
import { LockGroups } from '../locks/index.ts';
import { systemRuntime } from '../runtime/index.ts';

const TIMEOUT_MS = 2_000;
const POLL_MS = 20;
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Tries the steps on entries with a key that nothing else uses. Only that shows missing rights and wrong settings. */
export async function cacheStepFaults(url: string, path: string): Promise<FieldFault[]> {
  const runtime = systemRuntime(silent);
  const connection = new CacheConnection({ url, commandTimeoutMs: TIMEOUT_MS, runtime });
  try {
    await connection.ready(TIMEOUT_MS);
    return [];
  } catch {
    return [fault(path, connection.fault)];
  } finally {
    connection.close();
  }
}

/** Tries the commands of locks on every node. */
export async function lockStepFaults(
  urls: readonly string[],
  path: (index: number) => string,
): Promise<FieldFault[]> {
  const runtime = systemRuntime(silent);
  const nodes = new LockGroups({ urls, groupSize: urls.length, runtime });
  try {
    const deadlineMs = runtime.clock.nowMs() + TIMEOUT_MS;
    while (runtime.clock.nowMs() < deadlineMs) {
      if (nodes.status().every(({ status }) => status !== 'down')) return [];
      await runtime.timers.sleep(POLL_MS);
    }
    return nodes
      .status()
      .flatMap((node, index) =>
        node.status === 'down' ? [fault(path(index), node.fault ?? null)] : [],
      );
  } finally {
    nodes.close();
  }
}

const fault = (path: string, reason: string | null): FieldFault => ({
  path,
  message:
    `cannot be used: ${reason ?? 'it does not answer'}; allowed: a master that takes writes, ` +
    'and a user with EVAL, EVALSHA, SCRIPT LOAD and writes on all keys',
});
