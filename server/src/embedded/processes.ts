import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** A live process of this machine, with what it was started as or calls itself. */
export interface ListedProcess {
  pid: number;
  /** Base name of the program; a server that sets its title may show a word such as `postgres:`. */
  programs: readonly string[];
  /** The whole command line, its parts joined by single spaces. */
  commandLine: string;
}

const HAS_PROC = existsSync('/proc/self/stat');

/** All visible processes except zombies, which a container without an init never reaps. */
export function listProcesses(): ListedProcess[] {
  return HAS_PROC ? listFromProc() : listFromPs();
}

function listFromProc(): ListedProcess[] {
  const found: ListedProcess[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let raw: string;
    try {
      raw = readFileSync(`/proc/${name}/cmdline`, 'utf8');
    } catch {
      continue; // it ended while we looked
    }
    const words = raw.replace(/\0+$/, '').split('\0');
    const first = words[0] ?? '';
    if (first === '') continue;
    found.push({ pid: Number(name), programs: programsOf(first), commandLine: words.join(' ') });
  }
  return found;
}

function listFromPs(): ListedProcess[] {
  const listing = execFileSync('ps', ['-axww', '-o', 'pid=,stat=,command='], {
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
  });
  return listing.split('\n').flatMap((line) => {
    const [, pid, stat, commandLine] = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    if (pid === undefined || stat === undefined || commandLine === undefined) return [];
    if (stat.startsWith('Z')) return [];
    return [{ pid: Number(pid), programs: programsOf(commandLine), commandLine }];
  });
}

/** A process title is one string with spaces, but a program's path may contain spaces too. Returns both readings. */
function programsOf(first: string): string[] {
  return [basename(first), basename(first.split(' ')[0] ?? '')];
}

/**
 * Identifies a live process, so that a later one with the same id can be distinguished; undefined if none has this id.
 * The text is comparable only on this machine.
 */
export function identityOf(pid: number): string | undefined {
  try {
    if (HAS_PROC) {
      // The fields after the name in parentheses, which may contain spaces: state, …, start time (the 22nd field in
      // all).
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const [state, startTicks] = [fields[0] ?? 'X', fields[19] ?? ''];
      return 'ZXx'.includes(state) ? undefined : `${bootId()}:${startTicks}`;
    }
    const [stat, ...started] = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .trim()
      .split(/\s+/);
    return stat === undefined || stat === '' || stat.startsWith('Z')
      ? undefined
      : started.join(' ');
  } catch {
    return undefined;
  }
}

/** Identifies the machine's current run; changes with every restart of the machine. */
export function bootId(): string {
  try {
    if (HAS_PROC) return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return execFileSync('sysctl', ['-n', 'kern.boottime'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** Sends a signal. It is not an error if the process is already gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
