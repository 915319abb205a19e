/**
 * Runs the demo's load in a process of its own. In the coordinator it would share the event loop and the memory that
 * the demo is there to show; a worker thread would still count to its memory. So it is what a service is: another
 * process that knows an address and a token.
 *
 * States: running, waiting to start again (it ended by itself), stopped. It is started again at most MAX_RESTARTS times.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import type { Runtime, Timer } from '../runtime/index.ts';
import type { LoadStart } from './load-message.ts';
import type { DemoLoad } from './port.ts';

const OPERATIONS_PER_SECOND = 300;
const RESTART_DELAY_MS = 2_000;
const MAX_RESTARTS = 5;
const STOP_TIMEOUT_MS = 2_000;
/** The load gives way to the servers that it is a load for. */
const NICENESS = 10;
const MAX_HEAP_MB = 48;

export interface DemoLoadOptions {
  /** The built `load.program`, beside the built main program. */
  program: string;
  /** The coordinator's address. */
  url: string;
  /** The service token. */
  token: string;
  /** Default 300. */
  operationsPerSecond?: number;
  runtime: Runtime;
}

/** Starts the load. It never throws: a demo without load is still a demo, and the log says so. */
export function startDemoLoad(options: DemoLoadOptions): DemoLoad {
  const load = new LoadProcess(options);
  load.start();
  return load;
}

class LoadProcess implements DemoLoad {
  readonly #options: DemoLoadOptions;
  #child: ChildProcess | null = null;
  #restart: Timer | null = null;
  #restarts = 0;
  #isStopped = false;

  constructor(options: DemoLoadOptions) {
    this.#options = options;
  }

  start(): void {
    const { program, url, token, operationsPerSecond = OPERATIONS_PER_SECOND } = this.#options;
    const { log } = this.#options.runtime;
    const child = fork(program, [], {
      env: {},
      execArgv: [`--max-old-space-size=${MAX_HEAP_MB}`],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child = child;
    child.on('error', (error) => log.warn({ err: error }, 'the demo load has a fault'));
    child.once('exit', (code, signal) => this.#ended(code, signal));
    if (child.pid !== undefined) giveWay(child.pid);
    const message: LoadStart = { url, token, operationsPerSecond };
    child.send(message, (error) => {
      if (error !== null) log.debug({ err: error }, 'the demo load did not take its orders');
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#restart?.cancel();
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    if (child.connected) child.send('stop', () => undefined);
    const { timers } = this.#options.runtime;
    const settled = new AbortController();
    const killed = timers.sleep(STOP_TIMEOUT_MS, settled.signal).then(() => {
      if (!settled.signal.aborted) child.kill('SIGKILL');
    });
    await gone;
    settled.abort();
    await killed;
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    this.#child = null;
    if (this.#isStopped) return;
    const { log, timers } = this.#options.runtime;
    if (this.#restarts >= MAX_RESTARTS) {
      log.error({ code, signal }, 'the demo load ended too often and stays away');
      return;
    }
    this.#restarts++;
    log.warn({ code, signal }, 'the demo load ended; it is started again');
    this.#restart = timers.after(RESTART_DELAY_MS, () => this.start());
  }
}

function giveWay(pid: number): void {
  try {
    setPriority(pid, NICENESS);
  } catch {
    // It may have ended already, or the system has no such thing; then it runs like everyone else.
  }
}
