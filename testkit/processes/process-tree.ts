import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** A process that a signal has reached stops within milliseconds; on a loaded machine its threads wait for a core. */
const STOPPED_WITHIN_MS = 60_000;
/** States of a thread that runs no more: stopped, traced, a zombie, dead. */
const STILL = new Set(['T', 't', 'Z', 'X']);

/**
 * Sends a signal to a process and to its children. A database server answers from child processes that keep working
 * when only their parent is paused, so the parent is stopped first: it then forks no more.
 *
 * After `SIGSTOP` no thread of them runs any more. The signal alone does not say that: a thread on another core goes on
 * for a moment, and a server would still answer.
 */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  if (signal !== 'SIGCONT') signalOne(pid, signal === 'SIGKILL' ? 'SIGSTOP' : signal);
  for (const child of childrenOf(pid)) signalOne(child, signal);
  if (signal !== 'SIGSTOP') signalIfThere(pid, signal);
}

function signalOne(pid: number, signal: NodeJS.Signals): void {
  signalIfThere(pid, signal);
  if (signal === 'SIGSTOP') waitUntilStill(pid);
}

function waitUntilStill(pid: number): void {
  const sleeping = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; !isStill(pid); waitedMs += 1) {
    if (waitedMs > STOPPED_WITHIN_MS) throw new Error(`process ${pid} did not stop`);
    Atomics.wait(sleeping, 0, 0, 1);
  }
}

/** True too where there is no such process, or no `/proc` to ask. */
function isStill(pid: number): boolean {
  const folder = `/proc/${pid}/task`;
  try {
    return readdirSync(folder).every((thread) => isThreadStill(`${folder}/${thread}/stat`));
  } catch {
    return true;
  }
}

/** True too for a thread that has ended since it was listed. */
function isThreadStill(statPath: string): boolean {
  try {
    const stat = readFileSync(statPath, 'utf8');
    // The name stands in brackets before the state, and may hold brackets itself.
    return STILL.has(stat.charAt(stat.lastIndexOf(')') + 2));
  } catch {
    return true;
  }
}

function childrenOf(pid: number): number[] {
  let listed: string;
  try {
    listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  } catch {
    try {
      listed = execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
    } catch {
      return []; // no children, or the process is gone
    }
  }
  return listed.split(/\s+/).filter(Boolean).map(Number);
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
