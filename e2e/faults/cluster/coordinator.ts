/**
 * One coordinator of the cluster: a real process on a port of its own.
 *
 * States: down -> starting -> up <-> paused -> down. `kill` and `stop` leave it down; one that ends by itself is started
 * again, as a service manager does: a start fails while its servers are away.
 * Invariant: at most one process at a time; its port, data folder and clock stay the same over its lives.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { signalTree } from '@lockstep/testkit/processes/process-tree';
import { request } from 'undici';
import type { WallClock } from './wall-clock.ts';

const START_TIMEOUT_MS = 90_000;
const PROBE_TIMEOUT_MS = 1_000;
const STOP_TIMEOUT_MS = 10_000;
const RESTART_AFTER_MS = 100;
/** What it prints when it serves. */
const BANNER = ' runs at ';
const LOG_TAIL_CHARACTERS = 4_000;

export interface CoordinatorOptions {
  /** `coordinator 1`. */
  name: string;
  /** The built program. */
  program: string;
  /** Its own folder. */
  folder: string;
  port: number;
  config: object;
  env: Record<string, string>;
  clock: WallClock | null;
}

export class CoordinatorProcess {
  readonly name: string;
  readonly clock: WallClock | null;
  readonly #options: CoordinatorOptions;
  /** Ends of the process that nobody asked for, with the end of its log. */
  readonly crashes: string[] = [];
  #child: ChildProcess | null = null;
  #isWanted = false;

  constructor(options: CoordinatorOptions) {
    this.name = options.name;
    this.clock = options.clock;
    this.#options = options;
    mkdirSync(join(options.folder, 'data'), { recursive: true });
    this.configure(options.config);
  }

  /** Its configuration from the next start, or reload, on. */
  configure(config: object): void {
    writeFileSync(this.#path('lockstep.json'), JSON.stringify(config, null, 2));
  }

  /** As it was started with. */
  get config(): object {
    return this.#options.config;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#options.port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it and waits until it is ready, also where its servers come up only later. */
  async start(timeoutMs = START_TIMEOUT_MS): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    await this.launch();
    while (performance.now() < deadlineMs) {
      if (await this.isReady()) return;
      await sleep(20);
    }
    throw new Error(`${this.name} was not ready in time\n${this.logTail()}`);
  }

  /** Starts it and does not wait. */
  async launch(): Promise<void> {
    this.#isWanted = true;
    if (!this.isRunning) await this.#spawn();
  }

  async isReady(): Promise<boolean> {
    try {
      const { statusCode, body } = await request(`${this.url}/readyz`, {
        headersTimeout: PROBE_TIMEOUT_MS,
        bodyTimeout: PROBE_TIMEOUT_MS,
      });
      await body.dump();
      return statusCode === 200;
    } catch {
      return false;
    }
  }

  pause(): void {
    if (this.isRunning && this.#child?.pid) signalTree(this.#child.pid, 'SIGSTOP');
  }

  resume(): void {
    if (this.isRunning && this.#child?.pid) signalTree(this.#child.pid, 'SIGCONT');
  }

  async kill(): Promise<void> {
    this.#isWanted = false;
    const child = this.#child;
    if (child === null || !this.isRunning) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    const child = this.#child;
    if (child === null || !this.isRunning) return;
    const exited = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(late);
  }

  logTail(): string {
    return readFileSync(this.#path('coordinator.log'), 'utf8').slice(-LOG_TAIL_CHARACTERS);
  }

  async #spawn(): Promise<void> {
    const { program, folder, port, env, clock } = this.#options;
    const log = openSync(this.#path('coordinator.log'), 'a');
    const place = ['--config', this.#path('lockstep.json'), '--data-dir', this.#path('data')];
    const child = spawn(
      process.execPath,
      ['--max-semi-space-size=32', program, 'start', ...place, '--port', String(port)],
      {
        cwd: folder,
        stdio: ['ignore', log, log],
        env: { PATH: process.env['PATH'] ?? '', HOME: folder, ...env, ...clock?.env },
      },
    );
    closeSync(log);
    this.#child = child;
    const before = statSync(this.#path('coordinator.log')).size;
    child.once('exit', (code, signal) => this.#ended(before, code ?? signal));
    await once(child, 'spawn');
  }

  /** @param before size of its log when it was started */
  #ended(before: number, how: number | string | null): void {
    if (!this.#isWanted) return;
    // A start fails while its servers are away; nothing may end one that has served.
    if (readFileSync(this.#path('coordinator.log')).subarray(before).includes(BANNER))
      this.crashes.push(`${this.name} ended with ${how ?? 'nothing'}\n${this.logTail()}`);
    setTimeout(() => {
      if (this.#isWanted && !this.isRunning) void this.#spawn();
    }, RESTART_AFTER_MS);
  }

  #path(name: string): string {
    return join(this.#options.folder, name);
  }
}
