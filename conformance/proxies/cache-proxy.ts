/**
 * A proxy between the reader and a server of Redis: it sees every command, and can lead new connections to another
 * server, refuse them, cut those that are open, and hold commands or replies back.
 *
 * States: open -> closed. What is held back arrives when it is let go, unless the connection was cut.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { CommandParser } from './commands.ts';

export interface SeenCommand {
  /** In upper case. */
  name: string;
  words: readonly string[];
}

type Direction = 'commands' | 'replies';

interface Connection {
  client: Socket;
  server: Socket;
  held: Record<Direction, Buffer[]>;
}

export class CacheProxy {
  /** Everything that readers sent, in its order. */
  readonly commands: SeenCommand[] = [];
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #isHeld: Record<Direction, boolean> = { commands: false, replies: false };
  #target: URL;
  #refuses = false;

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer({ noDelay: true }, (client) => this.#accept(client));
  }

  /** Listens on a free loopback port. @param target the URL of the server that new connections are led to */
  static async open(target: string): Promise<CacheProxy> {
    const proxy = new CacheProxy(new URL(target));
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  /** Its own URL, with the credentials and the database of the target. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The proxy is closed');
    const url = new URL(this.#target);
    url.hostname = '127.0.0.1';
    url.port = String(address.port);
    return url.href;
  }

  /** Leads new connections to another server, and cuts those that are open. */
  leadTo(target: string): void {
    this.#target = new URL(target);
    this.cut();
  }

  /** Refuses new connections, and cuts those that are open. */
  goAway(): void {
    this.#refuses = true;
    this.cut();
  }

  comeBack(): void {
    this.#refuses = false;
  }

  /** Ends every open connection with RST; what is held back is lost. */
  cut(): void {
    for (const { client, server } of this.#connections) {
      client.resetAndDestroy();
      server.destroy();
    }
    this.#connections.clear();
  }

  /** Holds back what one direction carries, on open and new connections. */
  hold(direction: Direction): void {
    this.#isHeld[direction] = true;
  }

  letGo(): void {
    this.#isHeld.commands = this.#isHeld.replies = false;
    for (const { client, server, held } of this.#connections) {
      for (const chunk of held.commands.splice(0)) server.write(chunk);
      for (const chunk of held.replies.splice(0)) client.write(chunk);
    }
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined); // `close` follows
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const { hostname, port } = this.#target;
    const server = connect({ host: hostname, port: Number(port || 6379), noDelay: true });
    server.on('error', () => undefined);
    const connection: Connection = { client, server, held: { commands: [], replies: [] } };
    this.#connections.add(connection);
    const parser = new CommandParser((words) => {
      this.commands.push({ name: (words[0] ?? '').toUpperCase(), words });
    });
    client.on('data', (chunk) => {
      parser.push(chunk);
      if (this.#isHeld.commands) connection.held.commands.push(chunk);
      else server.write(chunk);
    });
    server.on('data', (chunk) => {
      if (this.#isHeld.replies) connection.held.replies.push(chunk);
      else client.write(chunk);
    });
    const end = (): void => {
      this.#connections.delete(connection);
      client.destroy();
      server.destroy();
    };
    client.once('close', end);
    server.once('close', end);
  }
}
