import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { signalTree } from '../processes/process-tree.ts';
import { eventually } from '../poll.ts';
import {
  FolderWatchdog,
  isAlive,
  processesIn,
  signalIfAlive,
} from '../processes/process-folder.ts';
import { repositoryPath } from '../repository.ts';
import { readRuntimeFile, serverPid, type RuntimeFile, type ServerRole } from './runtime-file.ts';

/**
 * A real instance of Lockstep under test control: a child process in a temporary folder.
 *
 * States: running -> (stopped | killed) -> running again … -> disposed. Invariant: after `dispose`, and after the death
 * of this process in whatever way, nothing that works inside the folder is left.
 */
/** The same as package.json's `start` has. */
const NODE_FLAGS = ['--max-semi-space-size=32'];

export interface InstanceOptions {
  /** The configuration; written as a file beside the data folder. Without one the demo runs. */
  config?: object;
  /** Written beside it, by name. */
  files?: Record<string, string>;
  /** Where it listens, also when it is started again. Default: a free one, another one each time. */
  port?: number;
  /** How many processes serve. Default: the coordinator's own. */
  workers?: number;
  /** Listen on the port of the first start again, as a fixed `listen.port` does. */
  keepPort?: boolean;
  env?: Record<string, string>;
  /** With which rights tests go behind its back, where its own are not enough: parts of `runtime.json`. */
  behind?: Partial<Pick<RuntimeFile, 'databaseUrl' | 'cacheUrl' | 'lockUrls'>>;
  startTimeoutMs?: number;
  /** The folder of another checkout of this repository, set up, whose coordinator is to run. Default: this one's. */
  checkout?: string;
}

export interface StopReport {
  code: number | null;
  signal: NodeJS.Signals | null;
  tookMs: number;
  /** Commands of processes that were still there when the coordinator had ended. */
  leftBehind: string[];
}

const START_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 20_000;
const LOG_TAIL_CHARACTERS = 8_000;

export class Instance {
  readonly folder: string;
  readonly dataDir: string;
  readonly configPath: string;
  readonly #options: InstanceOptions;
  readonly #watchdog: FolderWatchdog;
  #child: ChildProcess | undefined;
  #runtime: RuntimeFile | undefined;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), 'lockstep-e2e-')));
    this.dataDir = join(this.folder, 'data');
    this.configPath = join(this.folder, 'lockstep.yaml');
    this.#watchdog = new FolderWatchdog(this.folder);
    mkdirSync(this.dataDir, { mode: 0o755 });
    for (const [name, text] of Object.entries(options.files ?? {}))
      writeFileSync(join(this.folder, name), text);
    // JSON is YAML too.
    if (options.config) writeFileSync(this.configPath, JSON.stringify(options.config, null, 2));
  }

  /** What `runtime.json` says now: process ids change when a server is started again. */
  get runtime(): RuntimeFile {
    this.#runtime = readRuntimeFile(this.dataDir);
    return this.#runtime;
  }

  /** For tests that go behind its back. */
  get sideDoor(): RuntimeFile {
    return { ...this.runtime, ...this.#options.behind };
  }

  get url(): string {
    return (this.#runtime ?? this.runtime).url;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return (
      this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
    );
  }

  /** Starts the coordinator on this folder's data; resolves when it is ready. */
  async start(): Promise<void> {
    if (this.isRunning) throw new Error('The instance runs already');
    const log = openSync(this.#logPath(), 'a');
    this.#child = spawn(process.execPath, [...NODE_FLAGS, this.#program(), ...this.#flags()], {
      cwd: this.folder,
      stdio: ['ignore', log, log],
      env: cleanEnvironment(this.#options.env),
    });
    closeSync(log);
    await once(this.#child, 'spawn');
    await this.#untilReady(this.#child.pid ?? 0);
  }

  #program(): string {
    const { checkout } = this.#options;
    const path = 'scripts/start.mjs';
    return checkout === undefined ? repositoryPath(path) : join(checkout, path);
  }

  #flags(): string[] {
    const { config, keepPort, port = 0, workers } = this.#options;
    const kept = keepPort === true && this.#runtime ? new URL(this.#runtime.url).port : port;
    const place = ['--data-dir', this.dataDir, '--port', String(kept)];
    if (workers !== undefined) place.push('--workers', String(workers));
    return config === undefined ? place : [...place, '--config', this.configPath, '--no-demo'];
  }

  /** Ends the coordinator with SIGTERM. @throws Error when it does not end in time */
  async stop(): Promise<StopReport> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) throw new Error('The instance does not run');
    const startedAt = performance.now();
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const late = AbortSignal.timeout(STOP_TIMEOUT_MS);
    const isLate = once(late, 'abort').then(() => 'late' as const);
    if ((await Promise.race([exited, isLate])) === 'late') {
      throw new Error(
        `The instance did not end within ${STOP_TIMEOUT_MS} ms of SIGTERM\n${this.logTail()}`,
      );
    }
    const leftBehind = processesIn(this.folder).map((process) => process.command);
    return {
      code: child.exitCode,
      signal: child.signalCode,
      tookMs: performance.now() - startedAt,
      leftBehind,
    };
  }

  /** Ends the coordinator alone with SIGKILL; its servers stay behind. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Ends the coordinator and every server of it with SIGKILL, as nearly at once as signals can. */
  async killAll(): Promise<void> {
    const servers = this.runtime.processes
      .map((process) => process.pid)
      .filter((pid) => pid !== this.pid);
    const child = this.#child;
    const exited = child !== undefined && this.isRunning ? once(child, 'exit') : Promise.resolve();
    child?.kill('SIGKILL');
    for (const pid of servers) signalTree(pid, 'SIGKILL');
    await exited;
    await eventually(() => {
      if (servers.some(isAlive)) throw new Error('An embedded server outlived SIGKILL');
    });
  }

  /** Ends one embedded server with all its processes (SIGKILL). */
  async killServer(role: ServerRole): Promise<void> {
    const pid = serverPid(this.runtime, role);
    signalTree(pid, 'SIGKILL');
    await eventually(() => {
      if (isAlive(pid)) throw new Error(`${role} outlived SIGKILL`);
    });
  }

  /** Freezes one embedded server with all its processes: connections stay open and nothing answers. */
  pauseServer(role: ServerRole): void {
    signalTree(serverPid(this.runtime, role), 'SIGSTOP');
  }

  resumeServer(role: ServerRole): void {
    signalTree(serverPid(this.runtime, role), 'SIGCONT');
  }

  /** The end of what the coordinator has printed. */
  logTail(characters = LOG_TAIL_CHARACTERS): string {
    try {
      return readFileSync(this.#logPath(), 'utf8').slice(-characters);
    } catch {
      return '(no log)';
    }
  }

  /**
   * Ends everything and removes the folder.
   * @throws Error when the coordinator, running until now, left a process behind or did not end by itself
   */
  async dispose(): Promise<void> {
    let fault: string | undefined;
    try {
      for (const { pid } of processesIn(this.folder)) signalIfAlive(pid, 'SIGCONT');
      if (this.isRunning) {
        const { code, leftBehind } = await this.stop();
        if (code !== 0) fault = `ended with ${code} on SIGTERM`;
        else if (leftBehind.length > 0) fault = `left running: ${leftBehind.join('; ')}`;
      }
    } catch (error) {
      fault = String(error);
    }
    const log = this.logTail();
    await this.#clear();
    if (fault !== undefined) throw new Error(`The instance ${fault}\n${log}`);
  }

  async #clear(): Promise<void> {
    const known = this.#runtime?.processes.map((process) => process.pid) ?? [];
    if (this.isRunning) await this.kill();
    for (const pid of new Set([
      ...processesIn(this.folder).map((found) => found.pid),
      ...this.#ours(known),
    ])) {
      signalIfAlive(pid, 'SIGKILL');
    }
    await eventually(() => {
      if (processesIn(this.folder).length > 0) throw new Error('A process outlived SIGKILL');
    });
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    this.#watchdog.end();
  }

  /** Without /proc only the ids of the runtime file are known; with it the folder decides, because ids may belong to other processes by now. */
  #ours(pids: number[]): number[] {
    return process.platform === 'linux' ? [] : pids;
  }

  async #untilReady(pid: number): Promise<void> {
    const deadline = performance.now() + (this.#options.startTimeoutMs ?? START_TIMEOUT_MS);
    for (;;) {
      if (!this.isRunning) throw new Error(`The instance ended while starting\n${this.logTail()}`);
      if (await this.#isReady(pid)) return;
      if (performance.now() > deadline)
        throw new Error(`The instance was not ready in time\n${this.logTail()}`);
      await sleep(25);
    }
  }

  async #isReady(pid: number): Promise<boolean> {
    try {
      const runtime = this.runtime;
      // An instance that was killed leaves its file; only this one's counts.
      if (runtime.pid !== pid) return false;
      const { statusCode, body } = await request(`${runtime.url}/readyz`, {
        headersTimeout: 2_000,
      });
      await body.dump();
      return statusCode === 200;
    } catch {
      return false;
    }
  }

  #logPath(): string {
    return join(this.folder, 'coordinator.log');
  }
}

/** Starts an instance; nothing is left behind where it fails. */
export async function startInstance(options: InstanceOptions): Promise<Instance> {
  const instance = new Instance(options);
  try {
    await instance.start();
  } catch (error) {
    await instance.dispose().catch(() => undefined); // the first error tells more
    throw error;
  }
  return instance;
}

/** The environment of a program that a user starts: nothing of the test runner's own. */
function cleanEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(VITEST|NODE_ENV|NODE_OPTIONS|npm_|INIT_CWD|LOCKSTEP_|TEST$|DEV$|PROD$|MODE$)/.test(name),
  );
  return { ...Object.fromEntries(kept), ...extra };
}
