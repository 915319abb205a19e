import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { repositoryPath } from '@lockstep/testkit/repository';
import { findFreePort } from '../../../server/src/embedded/free-port.ts';
import type { ServiceProcess } from '../contender.ts';

/** The same flags as in package.json's `start`. */
const NODE_FLAGS = ['--max-semi-space-size=32'];
const START_TIMEOUT_MS = 60_000;
const MAX_STARTS = 5;
const LOOK_EVERY_MS = 25;
const LOG_TAIL_CHARACTERS = 2_000;

/**
 * One coordinator (the shipped build) on external servers. It keeps its port when it is restarted.
 *
 * States: down -> up (answers) -> down (killed) -> up again … -> stopped
 */
export class CoordinatorProcess implements ServiceProcess {
  readonly #folder: string;
  #port = 0;
  #child: ChildProcess | null = null;
  #isUp = false;
  #isEnding = false;
  #crash: string | null = null;

  /** @param folder its own, for its configuration, data and log; made here */
  constructor(folder: string, config: object) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    // JSON is YAML too.
    writeFileSync(this.#configPath, JSON.stringify(config, null, 2));
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get crash(): string | null {
    return this.#crash;
  }

  /** Known from the first start on. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Tries again if a start fails, as a service manager does: a fault may separate it from its database. */
  async start(): Promise<void> {
    if (this.#port === 0) this.#port = await findFreePort();
    for (let attempt = 1; !this.#isUp; attempt++) {
      const child = this.#spawn();
      this.#isUp = (await this.#becomesReady(child)) && isRunning(child);
      if (!this.#isUp && attempt === MAX_STARTS)
        throw new Error(`A coordinator does not start\n${this.#logTail()}`);
    }
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Stops it cleanly. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  get #configPath(): string {
    return join(this.#folder, 'lockstep.yaml');
  }

  get #logPath(): string {
    return join(this.#folder, 'coordinator.log');
  }

  #logTail(): string {
    return readFileSync(this.#logPath, 'utf8').slice(-LOG_TAIL_CHARACTERS);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null || !isRunning(child)) return;
    this.#isUp = false;
    this.#isEnding = true;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  #spawn(): ChildProcess {
    const log = openSync(this.#logPath, 'a');
    const place = ['--config', this.#configPath, '--data-dir', join(this.#folder, 'data')];
    const program = [...NODE_FLAGS, repositoryPath('server/dist/main.js'), 'start'];
    const child = spawn(
      process.execPath,
      [...program, ...place, '--port', String(this.#port), '--no-demo'],
      { cwd: this.#folder, stdio: ['ignore', log, log], env: environment() },
    );
    closeSync(log);
    this.#isEnding = false;
    child.once('exit', (code, signal) => {
      if (this.#isUp && !this.#isEnding)
        this.#crash = `a coordinator ended with ${code ?? signal}\n${this.#logTail()}`;
      this.#isUp = false;
    });
    this.#child = child;
    return child;
  }

  /** Whether it is ready in time. If not, it has ended. */
  async #becomesReady(child: ChildProcess): Promise<boolean> {
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while (isRunning(child)) {
      if (await this.#isReady()) return true;
      if (performance.now() > deadlineMs) await this.#end('SIGKILL');
      else await sleep(LOOK_EVERY_MS);
    }
    return false;
  }

  async #isReady(): Promise<boolean> {
    try {
      const { statusCode, body } = await request(`${this.url}/readyz`, { headersTimeout: 2_000 });
      await body.dump();
      return statusCode === 200;
    } catch {
      return false; // it does not listen yet, or is delayed
    }
  }
}

const isRunning = (child: ChildProcess): boolean =>
  child.exitCode === null && child.signalCode === null;

/** This process's environment without variables that would change the coordinator's configuration or how it runs. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(LOCKSTEP_|NODE_OPTIONS$|NODE_ENV$|npm_|TSX_)/.test(name),
  );
  return Object.fromEntries(kept);
}
