import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { FailedCall, type Reading, type ServiceProcess } from '../contender.ts';
import type { Call, FromService, Operation, Reply, ServiceOptions, ToService } from './protocol.ts';

const PROGRAM = fileURLToPath(new URL('./service.program.ts', import.meta.url));

interface Waiting {
  resolve(reading: Reading): void;
  reject(error: FailedCall): void;
}

/**
 * A hand-written service in a separate process, as its callers see it.
 *
 * States: down -> up (answers) -> down (killed; calls in flight fail) -> up again …
 */
export class ForkedService implements ServiceProcess {
  readonly #options: ServiceOptions;
  readonly #folder: string;
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | null = null;
  #calls: Call[] = [];
  #lastId = 0;
  #isUp = false;
  #isEnding = false;
  #crash: string | null = null;

  /** @param folder where the process works, so that clearing the folder finds it */
  constructor(options: ServiceOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get crash(): string | null {
    return this.#crash;
  }

  async start(): Promise<void> {
    this.#isEnding = false;
    // The child inherits `execArgv`, so it can run TypeScript like this process.
    const child = fork(PROGRAM, [JSON.stringify(this.#options)], { cwd: this.#folder });
    this.#child = child;
    child.once('exit', (code, signal) => this.#down(`a service ended with ${code ?? signal}`));
    const ready = new Promise<void>((resolve, reject) => {
      child.on('message', (message: FromService) => {
        if (message === 'ready') resolve();
        else for (const reply of message.replies) this.#settle(reply);
      });
      child.once('exit', (code) => reject(new Error(`A service ended with ${code} at its start`)));
    });
    await ready;
    this.#isUp = true;
  }

  call(operation: Operation, key: number, value = 0): Promise<Reading> {
    if (!this.#isUp) return Promise.reject(new FailedCall('UNREACHABLE'));
    const id = ++this.#lastId;
    if (this.#calls.length === 0) setImmediate(() => this.#flush());
    this.#calls.push([id, operation, key, value]);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    this.#isUp = false;
    this.#isEnding = true;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Lets it finish its pending work. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null || !this.#isUp) return;
    this.#isEnding = true;
    const exited = once(child, 'exit');
    this.#send('end');
    await exited;
  }

  #flush(): void {
    const calls = this.#calls;
    this.#calls = [];
    if (this.#isUp) this.#send({ calls });
  }

  #send(message: ToService): void {
    // If the process has just died, `exit` rejects its calls.
    this.#child?.send(message, () => undefined);
  }

  #settle([id, answer, fromDatabase]: Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (typeof answer === 'number') waiting?.resolve({ n: answer, fromDatabase });
    else waiting?.reject(new FailedCall(answer));
  }

  #down(how: string): void {
    this.#isUp = false;
    if (!this.#isEnding) this.#crash = how;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.reject(new FailedCall('UNREACHABLE'));
  }
}
