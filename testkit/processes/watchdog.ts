import { spawn, type ChildProcess } from 'node:child_process';

/**
 * A shell that waits for its input to end, which happens when this process dies in whatever way, then kills the last
 * process that it was given, with its children, and removes the folder.
 */
const SCRIPT = `
while read -r line; do
  [ "$line" = end ] && exit 0
  pid=$line
done
children() { cat "/proc/$1/task/$1/children" 2>/dev/null || pgrep -P "$1"; }
if [ -n "$pid" ]; then
  kill -STOP "$pid" 2>/dev/null
  kill -KILL $(children "$pid") "$pid" 2>/dev/null
fi
for attempt in 1 2 3 4 5; do rm -rf "$folder" 2>/dev/null && exit 0; sleep 0.2; done
`;

export class Watchdog {
  readonly #shell: ChildProcess;

  /** @param folder removed, with the watched process, when this process dies before `end`. */
  constructor(folder: string) {
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT], {
      // Its own session: Ctrl-C in a terminal must not end it before the server.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: '/usr/bin:/bin', folder },
    });
    this.#shell.unref();
    // Writing to a watchdog that somebody killed is no fault of the test.
    this.#shell.stdin?.on('error', () => undefined);
    if (this.#shell.stdin && 'unref' in this.#shell.stdin) {
      (this.#shell.stdin as { unref(): void }).unref();
    }
  }

  /** Tells which process goes down with this one; only the last one counts. */
  watch(pid: number): void {
    this.#shell.stdin?.write(`${pid}\n`);
  }

  /** Ends the watch: the server was stopped in order. */
  end(): void {
    this.#shell.stdin?.end('end\n');
  }
}
