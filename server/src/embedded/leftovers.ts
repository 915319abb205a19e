import type { Clock, Timers } from '../runtime/index.ts';
import { listProcesses, signalProcess, type ListedProcess } from './processes.ts';

/** How to recognize the processes of one kind of server in one data folder. */
export interface Ownership {
  /** A process that the coordinator starts itself. */
  isServer(process: ListedProcess): boolean;
  /** A process that such a server forks; it outlives its server only when it was paused. */
  isChild(process: ListedProcess): boolean;
}

const POLL_MS = 25;

/** Live processes of this server. */
export function findOwned(ownership: Ownership): ListedProcess[] {
  return listProcesses().filter((found) => ownership.isServer(found) || ownership.isChild(found));
}

/**
 * Ends every process of this server that an earlier start left, including paused ones: gracefully at first, by force
 * after `graceMs`. Never touches a process that is not this data folder's server.
 * @returns the process ids that were found.
 * @throws Error when one of them cannot be ended, because it belongs to another user.
 */
export async function endLeftovers(
  ownership: Ownership,
  signal: NodeJS.Signals,
  graceMs: number,
  { clock, timers }: { clock: Clock; timers: Timers },
): Promise<number[]> {
  const found = findOwned(ownership);
  const deadline = clock.nowMs() + graceMs;
  for (const { pid } of found.filter((one) => ownership.isServer(one))) signalProcess(pid, signal);
  for (const { pid } of found) signalProcess(pid, 'SIGCONT');
  for (let rest = found; rest.length > 0; rest = findOwned(ownership)) {
    const inOrder = rest.some((one) => ownership.isServer(one)) && clock.nowMs() < deadline;
    if (!inOrder) for (const { pid } of rest) signalProcess(pid, 'SIGKILL');
    await timers.sleep(POLL_MS);
  }
  return found.map(({ pid }) => pid);
}
