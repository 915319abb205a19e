import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface FoundProcess {
  pid: number;
  command: string;
}

/**
 * Processes whose current folder is inside `folder`, whatever their parent is now: servers that were
 * left behind are found even where nothing knows their ids any more. Empty where there is no /proc.
 */
export function processesIn(folder: string): FoundProcess[] {
  const found: FoundProcess[] = [];
  for (const pid of listProcesses()) {
    try {
      const cwd = readlinkSync(`/proc/${pid}/cwd`);
      if (cwd !== folder && !cwd.startsWith(`${folder}/`)) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      if (command !== '') found.push({ pid, command });
    } catch {
      // It ended between the two looks, or belongs to someone else: not ours then.
    }
  }
  return found;
}

/** Whether a process with this id is there and not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true; // no /proc here; the signal told
  }
}

/** Sends a signal; nothing where the process is gone. */
export function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function listProcesses(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/**
 * Waits for its input to end, which happens when this process dies in whatever way; kills everything that works inside
 * the folder then, and removes it.
 */
const WATCH = `
while read -r line; do
  [ "$line" = end ] && exit 0
done
for attempt in 1 2 3 4 5 6 7 8; do
  for process in /proc/[0-9]*; do
    case "$(readlink "$process/cwd" 2>/dev/null)" in
      "$folder"|"$folder"/*) kill -KILL "\${process#/proc/}" 2>/dev/null ;;
    esac
  done
  rm -rf "$folder" 2>/dev/null && exit 0
  sleep 0.2
done
`;

/** Makes sure that nothing outlives this process in `folder`, even if it is killed. */
export class FolderWatchdog {
  readonly #shell: ChildProcess;

  constructor(folder: string) {
    this.#shell = spawn('/bin/sh', ['-c', WATCH], {
      // Its own session: Ctrl-C in a terminal must not end it before the servers.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', folder },
    });
    this.#shell.unref();
    this.#shell.stdin?.on('error', () => undefined); // somebody killed the watchdog: no fault of the test
    // A child's pipe is a socket, which need not keep this process alive.
    if (this.#shell.stdin instanceof Socket) this.#shell.stdin.unref();
  }

  /** Ends the watch: everything was stopped in order. */
  end(): void {
    this.#shell.stdin?.end('end\n');
  }
}
