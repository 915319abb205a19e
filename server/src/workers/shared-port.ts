/**
 * The port of all workers of one coordinator: this process accepts the connections and hands each to a worker, in turn.
 *
 * `node:cluster` does the same, but never closes a connection that it has handed to a worker which died before it took
 * it: such a caller would wait for ever.
 *
 * Invariants
 *   - J10: a worker gets the next connection only once it has taken the last one: one that hangs keeps one caller waiting
 *   - at most MAX_WAITING connections wait for a worker; further ones are closed
 */
import { createServer, type Server, type Socket } from 'node:net';

const MAX_WAITING = 1_024;

export interface ConnectionTaker {
  /** Sends the connection to the other process, and calls `taken` when that has it. */
  hand(socket: Socket, taken: () => void): void;
}

export class SharedPort {
  readonly server: Server;
  readonly #waiting: Socket[] = [];
  /** The workers that may get a connection now, the one that has waited longest first. */
  #free: ConnectionTaker[] = [];
  readonly #all = new Set<ConnectionTaker>();

  constructor() {
    // Nothing of a connection is read here.
    this.server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  /** @throws Error if the port is not free */
  async listen({ host, port }: { host: string; port: number }): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => {
        this.server.off('error', reject);
        resolve();
      });
    });
  }

  /** The worker takes connections from now on. */
  add(worker: ConnectionTaker): void {
    this.#all.add(worker);
    this.#isFree(worker);
  }

  /** The worker gets no more connections. Those that it was given are its own business, also if it has ended. */
  remove(worker: ConnectionTaker): void {
    this.#all.delete(worker);
    this.#free = this.#free.filter((each) => each !== worker);
  }

  /** Closes the connections that no worker has got. The port itself must be closed already. */
  end(): void {
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }

  #accept(socket: Socket): void {
    socket.on('error', () => undefined); // its worker notices
    const worker = this.#free.shift();
    if (worker !== undefined) this.#hand(socket, worker);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(socket);
    else socket.destroy();
  }

  #isFree(worker: ConnectionTaker): void {
    if (!this.#all.has(worker)) return;
    const socket = this.#waiting.shift();
    if (socket === undefined) this.#free.push(worker);
    else this.#hand(socket, worker);
  }

  #hand(socket: Socket, worker: ConnectionTaker): void {
    worker.hand(socket, () => this.#isFree(worker));
  }
}
