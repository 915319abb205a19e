/**
 * One embedded server, kept alive.
 *
 *   idle ──start──▶ starting ──ready──▶ up ──exit──▶ waiting ──delay──▶ starting …
 *     any state ──stop──▶ stopped
 *
 * Invariants
 * - At most one process of this server lives: before every launch, leftovers of an earlier one are ended.
 * - It is not launched again until `restartDelayMs` after its end.
 * - A restart uses the same port, because clients have the URL.
 * - After `stop` nothing is launched.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import type { Runtime } from '../runtime/index.ts';
import type { Launch } from './account.ts';
import { EmbeddedError } from './embedded-error.ts';
import { endLeftovers, findOwned, type Ownership } from './leftovers.ts';
import { signalProcess } from './processes.ts';

/** What one server needs from its supervisor. */
export interface ServerSpec {
  /** As in `runtime.json`: `postgres`, `cache`, `lock-1`, … */
  name: string;
  port: number;
  /** Its working folder, which exists. */
  folder: string;
  logPath: string;
  ownership: Ownership;
  /** Ends it cleanly: clients are disconnected, nothing acknowledged is lost. */
  stopSignal: NodeJS.Signals;
  /** The least time between its end and its next launch. */
  restartDelayMs: number;
  /** Prepares its folder before each launch, while no process of it lives. */
  prepare(): Promise<void>;
  launch(): Launch;
  /** Rejects while the server does not answer. An EmbeddedError means that waiting is useless. */
  ping(): Promise<void>;
}

const READY_TIMEOUT_MS = 120_000;
const READY_POLL_MS = 20;
const LEFTOVER_GRACE_MS = 2_500;
const STOP_GRACE_MS = 5_000;
const MAX_BACKOFF_MS = 30_000;
/** A server that stayed up this long is healthy again: its next failure starts the backoff anew. */
const HEALTHY_AFTER_MS = 60_000;
const MAX_LOG_BYTES = 10 * 1024 * 1024;
const LOG_TAIL_CHARS = 2_000;

export class SupervisedServer {
  readonly spec: ServerSpec;
  readonly #runtime: Runtime;
  readonly #onChange: () => void;
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  /** The position in the log where the last launch began. */
  #logStart = 0;
  #failures = 0;
  #supervision: Promise<void> = Promise.resolve();

  /** @param onChange called when the process id has changed. */
  constructor(spec: ServerSpec, runtime: Runtime, onChange: () => void) {
    this.spec = spec;
    this.#runtime = runtime;
    this.#onChange = onChange;
  }

  /** The process id of the running server, of the last one while it is down; 0 before the first start. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /**
   * Launches the server and resolves when it answers; from then on it is kept alive.
   * @throws EmbeddedError with the end of its log if it ends or does not answer.
   */
  async start(): Promise<void> {
    await this.#launch();
    this.#supervision = this.#supervise();
  }

  /** Ends the server cleanly, or by force after a few seconds. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#end(STOP_GRACE_MS);
    await this.#supervision;
  }

  /** Truncates the server's log if it is long. That is safe while the server runs, because it appends. */
  trimLog(): void {
    const log = openSync(this.spec.logPath, 'a', 0o600);
    try {
      if (fstatSync(log).size > MAX_LOG_BYTES) ftruncateSync(log);
    } finally {
      closeSync(log);
    }
  }

  async #supervise(): Promise<void> {
    while (!this.#isStopping()) {
      const upSinceMs = this.#runtime.clock.nowMs();
      await this.#exited();
      if (this.#isStopping()) return;
      if (this.#runtime.clock.nowMs() - upSinceMs > HEALTHY_AFTER_MS) this.#failures = 0;
      await this.#relaunch();
    }
  }

  /** Tries until the server answers again or this supervisor stops. */
  async #relaunch(): Promise<void> {
    const { name, port, restartDelayMs } = this.spec;
    while (!this.#isStopping()) {
      const backoffMs = Math.min(MAX_BACKOFF_MS, 500 * 2 ** this.#failures);
      const delayMs = Math.max(restartDelayMs, this.#failures === 0 ? 0 : backoffMs);
      const cause = {
        name,
        port,
        pid: this.pid,
        exitCode: this.#child?.exitCode,
        signal: this.#child?.signalCode,
      };
      this.#runtime.log.warn({ ...cause, delayMs }, 'embedded server died; starting it again');
      await this.#runtime.timers.sleep(delayMs, this.#stopping.signal);
      if (this.#isStopping()) return;
      this.#failures += 1;
      try {
        await this.#launch();
        this.#runtime.log.info({ name, port, pid: this.pid }, 'embedded server is up again');
        return;
      } catch (error) {
        if (this.#isStopping()) return;
        this.#runtime.log.error({ name, port, err: error }, 'embedded server could not be started');
      }
    }
  }

  async #launch(): Promise<void> {
    const { name, ownership, stopSignal } = this.spec;
    const left = await endLeftovers(ownership, stopSignal, LEFTOVER_GRACE_MS, this.#runtime);
    if (left.length > 0) {
      this.#runtime.log.warn({ name, pids: left }, 'ended processes that an earlier run left');
    }
    await this.spec.prepare();
    if (this.#isStopping()) throw new EmbeddedError(`${name} was stopped while it started`);
    await this.#spawn();
    this.#onChange();
    try {
      await this.#answers();
    } catch (error) {
      await this.#end(0);
      throw error;
    }
  }

  async #spawn(): Promise<void> {
    const { command, args, uid, gid } = this.spec.launch();
    const log = openSync(this.spec.logPath, 'a', 0o600);
    try {
      this.#logStart = fstatSync(log).size;
      const child = spawn(command, args, {
        cwd: this.spec.folder,
        stdio: ['ignore', log, log],
        // A separate session, so that Ctrl-C in the terminal reaches only the coordinator, which stops its servers
        // cleanly.
        detached: true,
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
      });
      await once(child, 'spawn');
      this.#child = child;
    } catch (cause) {
      throw new EmbeddedError(`${this.spec.name} could not be started: ${String(cause)}`, {
        cause,
      });
    } finally {
      closeSync(log);
    }
  }

  async #answers(): Promise<void> {
    const { name } = this.spec;
    const deadline = this.#runtime.clock.nowMs() + READY_TIMEOUT_MS;
    for (;;) {
      if (this.#isStopping()) throw new EmbeddedError(`${name} was stopped while it started`);
      if (!this.#isAlive())
        throw new EmbeddedError(`${name} ended while it started; ${this.#logTail()}`);
      try {
        return await this.spec.ping();
      } catch (cause) {
        if (cause instanceof EmbeddedError) throw cause;
        if (this.#runtime.clock.nowMs() > deadline) {
          throw new EmbeddedError(`${name} does not answer; ${this.#logTail()}`, { cause });
        }
      }
      await this.#runtime.timers.sleep(READY_POLL_MS, this.#stopping.signal);
    }
  }

  async #end(graceMs: number): Promise<void> {
    if (this.#isAlive()) {
      // A paused server does not act on other signals.
      for (const { pid } of findOwned(this.spec.ownership)) signalProcess(pid, 'SIGCONT');
      this.#child?.kill(this.spec.stopSignal);
      const late = this.#runtime.timers.after(graceMs, () => {
        for (const { pid } of findOwned(this.spec.ownership)) signalProcess(pid, 'SIGKILL');
      });
      await this.#exited();
      late.cancel();
    }
    await endLeftovers(this.spec.ownership, this.spec.stopSignal, 0, this.#runtime);
  }

  async #exited(): Promise<void> {
    if (this.#child && this.#isAlive()) await once(this.#child, 'exit');
  }

  #isAlive(): boolean {
    return (
      this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
    );
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** The end of what it logged since its last launch, as one line. */
  #logTail(): string {
    const log = readFileSync(this.spec.logPath).subarray(this.#logStart).toString('utf8');
    const tail = log
      .slice(-LOG_TAIL_CHARS)
      .trim()
      .replace(/\s*\n\s*/g, ' | ');
    return `${this.spec.logPath} ends with: ${tail}`;
  }
}
