/**
 * A link: a TCP proxy in front of one server for one client, whose network goes bad on demand.
 *
 * States of the link: open -> closed. Conditions change at any time and work on open connections too.
 *   - `set` slows, slices, throttles or stalls one direction or both
 *   - `refuse` answers new connections with RST, as a host without a listener does
 *   - `swallow` accepts new connections and says nothing: their bytes go nowhere and no server is asked
 *   - `reset` sends RST to both ends of every open connection; `hangUp` sends FIN
 * A stalled direction holds the bytes that were sent, as a network does that drops packets: they arrive when it heals,
 * even where the sender has gone away meanwhile. That is the hard case: a command that takes effect long after its
 * sender gave it up.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Conditions, type Direction, DIRECTIONS, FAIR } from './conditions.ts';
import { Lane } from './lane.ts';

export interface LinkOptions {
  /** Loopback port of the server. */
  targetPort: number;
  /** In [0, 1): the jitter's source. */
  random?: () => number;
  /** Called with the port by which the server knows a new connection. */
  onConnect?: (port: number) => void;
}

interface Connection {
  client: Socket;
  /** Null where the link swallowed the connection. */
  server: Socket | null;
  lanes: Lane[];
}

export class FaultLink {
  readonly #options: LinkOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #conditions: Record<Direction, Conditions> = { up: { ...FAIR }, down: { ...FAIR } };
  #mode: 'pass' | 'refuse' | 'swallow' = 'pass';
  #targetPort: number;

  private constructor(options: LinkOptions) {
    this.#options = options;
    this.#targetPort = options.targetPort;
    // Half-open: a FIN of one side leaves the other direction open, as TCP does.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
      this.#accept(client),
    );
  }

  /** Listens on a free loopback port. */
  static async open(options: LinkOptions): Promise<FaultLink> {
    const link = new FaultLink(options);
    await new Promise<void>((resolve, reject) => {
      link.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return link;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The link is closed');
    return address.port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Changes what one direction, or both, do; what is not named stays. */
  set(direction: Direction | 'both', changes: Partial<Conditions>): void {
    for (const each of DIRECTIONS) {
      if (direction === 'both' || direction === each)
        Object.assign(this.#conditions[each], changes);
    }
    this.#work();
  }

  /** Where new connections lead. */
  target(port: number): void {
    this.#targetPort = port;
  }

  /** What becomes of new connections. */
  accept(mode: 'pass' | 'refuse' | 'swallow'): void {
    this.#mode = mode;
    if (mode === 'pass') this.#dropSwallowed();
  }

  /** Accepts and says nothing: open connections are mute in both directions, new ones go nowhere. */
  blackHole(): void {
    this.accept('swallow');
    this.set('both', { stalled: true });
  }

  /** Fair weather again. What was held arrives. */
  heal(): void {
    this.set('both', FAIR);
    this.accept('pass');
  }

  /** RST to both ends of every open connection; what was held is lost. */
  reset(): void {
    this.#end((socket) => socket.resetAndDestroy());
  }

  /** FIN to both ends of every open connection; what was held is lost. */
  hangUp(): void {
    this.#end((socket) => socket.destroySoon());
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.reset();
    await closed;
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined); // the lane hears of it as `close`
    if (this.#mode === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    if (this.#mode === 'swallow') {
      const swallowed: Connection = { client, server: null, lanes: [] };
      this.#connections.add(swallowed);
      client.resume();
      client.once('close', () => this.#connections.delete(swallowed));
      return;
    }
    const server = connect({
      host: '127.0.0.1',
      port: this.#targetPort,
      allowHalfOpen: true,
      noDelay: true,
    });
    server.on('error', () => undefined);
    server.once('connect', () => this.#options.onConnect?.(server.localPort ?? 0));
    this.#join(client, server);
  }

  #join(client: Socket, server: Socket): void {
    const random = this.#options.random ?? (() => 0);
    const lane = (from: Socket, to: Socket, direction: Direction): Lane =>
      new Lane({ from, to, conditions: () => this.#conditions[direction], random });
    const lanes = [lane(client, server, 'up'), lane(server, client, 'down')];
    const connection: Connection = { client, server, lanes };
    this.#connections.add(connection);
    let open = 2;
    for (const socket of [client, server]) {
      socket.once('close', () => {
        open -= 1;
        if (open === 0) this.#connections.delete(connection);
      });
    }
  }

  /** Their bytes are gone; only a new connection can be any good. */
  #dropSwallowed(): void {
    for (const { client, server } of this.#connections) {
      if (server === null) client.resetAndDestroy();
    }
  }

  #end(how: (socket: Socket) => void): void {
    for (const { client, server, lanes } of this.#connections) {
      for (const lane of lanes) lane.destroy();
      how(client);
      if (server !== null) how(server);
    }
  }

  #work(): void {
    for (const { lanes } of this.#connections) for (const lane of lanes) lane.work();
  }
}
