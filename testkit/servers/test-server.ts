import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account, Launch } from '../../server/src/embedded/account.ts';
import { findFreePort } from '../../server/src/embedded/free-port.ts';
import { signalTree } from '../processes/process-tree.ts';
import { Watchdog } from '../processes/watchdog.ts';

/** A real server under test control. Its data folder is temporary and goes with `stop`. */
export interface TestServer {
  /** Connection URL with the credentials in it; it stays the same over restarts. */
  readonly url: string;
  readonly port: number;
  /** Process id of the running server, of the last one when it is down. */
  readonly pid: number;
  /** Whether its process is there, paused or not. */
  readonly isRunning: boolean;
  /** Freezes the server with all its processes (SIGSTOP): connections stay open and nothing answers. */
  pause(): void;
  /** Continues a paused server. */
  resume(): void;
  /** Ends the server with all its processes at once (SIGKILL) and resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it on the same port and data, killing it first where it still runs; resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it for good and removes its data. */
  stop(): Promise<void>;
}

/** What one kind of server needs: how to prepare its folder, start it, and check that it answers. */
export interface ServerKind {
  name: string;
  /** Owner of the data folder, where the server does not run as this process's user. */
  account?: Account | undefined;
  /** Ends a server in order and fast; its data is thrown away afterwards. */
  stopSignal: NodeJS.Signals;
  prepare?(folder: string): Promise<void>;
  launch(folder: string, port: number): Launch;
  url(port: number): string;
  /** Rejects while the server does not answer. */
  ping(port: number): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;
const PORT_ATTEMPTS = 5;

/**
 * Starts a server of this kind on a free loopback port.
 * A watchdog ends it and removes its folder when this process dies, however it dies.
 */
export async function startTestServer(kind: ServerKind): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), `lockstep-test-${kind.name}-`));
  if (kind.account) chownSync(folder, kind.account.uid, kind.account.gid);
  const watchdog = new Watchdog(folder);
  try {
    await kind.prepare?.(folder);
    for (let attempt = 1; ; attempt++) {
      const server = new RunningServer(kind, folder, await findFreePort(), watchdog);
      try {
        await server.restart();
        return server;
      } catch (error) {
        // Another program may have taken the port between the look and the start.
        if (attempt === PORT_ATTEMPTS) throw error;
      }
    }
  } catch (error) {
    watchdog.end();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

class RunningServer implements TestServer {
  readonly port: number;
  readonly url: string;
  readonly #kind: ServerKind;
  readonly #folder: string;
  readonly #watchdog: Watchdog;
  #child: ChildProcess | undefined;
  #pid = 0;

  constructor(kind: ServerKind, folder: string, port: number, watchdog: Watchdog) {
    this.#kind = kind;
    this.#folder = folder;
    this.#watchdog = watchdog;
    this.port = port;
    this.url = kind.url(port);
  }

  get pid(): number {
    return this.#pid;
  }

  get isRunning(): boolean {
    return (
      this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
    );
  }

  pause(): void {
    if (this.isRunning) signalTree(this.#pid, 'SIGSTOP');
  }

  resume(): void {
    if (this.isRunning) signalTree(this.#pid, 'SIGCONT');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || !this.isRunning) return;
    const exited = once(child, 'exit');
    signalTree(this.#pid, 'SIGKILL');
    await exited;
  }

  async restart(): Promise<void> {
    await this.kill();
    const { command, args, uid, gid } = this.#kind.launch(this.#folder, this.port);
    const log = openSync(this.#logPath(), 'a', 0o600);
    const child = spawn(command, args, {
      cwd: this.#folder,
      stdio: ['ignore', log, log],
      detached: true,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    closeSync(log);
    await once(child, 'spawn');
    this.#child = child;
    this.#pid = child.pid ?? 0;
    child.unref();
    this.#watchdog.watch(this.#pid);
    await this.#answered();
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child && this.isRunning) {
      const exited = once(child, 'exit');
      signalTree(this.#pid, 'SIGCONT');
      child.kill(this.#kind.stopSignal);
      const late = setTimeout(() => signalTree(this.#pid, 'SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(late);
    }
    this.#watchdog.end();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  async #answered(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      try {
        if (this.isRunning) return await this.#kind.ping(this.port);
      } catch (error) {
        if (performance.now() > deadline) {
          await this.kill();
          throw new Error(`${this.#kind.name} did not answer in time\n${this.#log()}`, {
            cause: error,
          });
        }
      }
      if (!this.isRunning)
        throw new Error(`${this.#kind.name} ended while starting\n${this.#log()}`);
      await sleep(20);
    }
  }

  #logPath(): string {
    return join(this.#folder, `${this.#kind.name}.log`);
  }

  #log(): string {
    return readFileSync(this.#logPath(), 'utf8').slice(-4000);
  }
}
