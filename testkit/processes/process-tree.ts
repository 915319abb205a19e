import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Sends a signal to a process and to its children. A database server answers from child processes that keep working
 * when only their parent is paused, so the parent is stopped first: it then forks no more.
 */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  if (signal !== 'SIGCONT') signalIfThere(pid, signal === 'SIGKILL' ? 'SIGSTOP' : signal);
  for (const child of childrenOf(pid)) signalIfThere(child, signal);
  if (signal !== 'SIGSTOP') signalIfThere(pid, signal);
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
