import type { Redis } from 'ioredis';
import { createServer, type IncomingMessage } from 'node:http';
import { Server } from 'socket.io';
import type { ErrorCode } from '@lockstep/shared';
import { LockstepError, toLockstepError } from '../domain/index.ts';
import { hostFault, type LiveDoor, originFault, type OriginRule } from '../edge/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import { asInstanceSnapshot, type LiveSources } from './instance-snapshot.ts';
import { Handshakes, TOKEN_WITHIN_MS, type Waiting } from './handshakes.ts';
import { connectLiveClients, type LiveClients } from './live-clients-redis.ts';
import { LiveState } from './live-state.ts';
import { amongWorkers, type OtherWorkers, sessionId } from './worker-sessions.ts';
import { Viewers, type LiveServer, type OpsNamespace, type OpsSocket } from './viewers.ts';

export interface LiveOptions {
  viewing: ViewingRights;
  /** Which origins' pages may open the stream. */
  origin: OriginRule;
  /** This coordinator's id. */
  instance: string;
  sources: LiveSources;
  runtime: Runtime;
  /** The cache, through which instances hear of one another; null: it hears of none. */
  cacheUrl: string | null;
  /** Has a client of the cache leave a master that is replaced. Default: nobody follows the master. */
  lead?: (client: Redis) => void;
  /** Prefix of the pub/sub channels; clusters that share one Redis need one each. */
  channel?: string;
  /** Set if this process is one of several workers behind one port. */
  workers?: OtherWorkers | null;
}

/** Who may watch. `undefined`: the socket sent no token. With `auth: off` everyone may. */
export interface ViewingRights {
  /**
   * Null: the token is nobody's; false: its holder may not watch.
   * @throws LockstepError `DATABASE_UNAVAILABLE` where nobody knows whether the token is valid
   */
  mayWatch(token: string | undefined): Promise<boolean | null>;
  /** The same for a socket that watches: a key may be revoked, or may have expired. */
  mayStillWatch(token: string | undefined): boolean;
}

const PATH = '/live';
const TICK_MS = 1_000;
/** Sockets only listen: what they send is never read and must be short. */
const MAX_CLIENT_MESSAGE_BYTES = 16 * 1024;
/** How long a new socket waits for facts from the database that have never been read. */
const FIRST_FACTS_TIMEOUT_MS = 500;
/** How long a refused socket has to read why. */
const REFUSED_FOR_MS = 200;
/** How often the others may ask for details at once. */
const WANTED_INTERVAL_MS = 200;

/** A connection of socket.io, of any transport and namespace. */
type EngineSocket = OpsSocket['conn'] & Waiting;

/**
 * Serves the live stream: socket.io at `/live`, namespace `/ops` (see `LiveEvents`).
 *
 * Each instance sends its last second to the others through the cache's pub/sub, adds up what it got within the last 5 s,
 * and sends the sum to its own sockets. Without the cache, every instance shows only itself.
 */
export class LiveStream {
  /** To it the HTTP server passes the requests and upgrades that belong to the stream. */
  readonly door: LiveDoor;
  readonly #options: LiveOptions;
  readonly #runtime: Runtime;
  readonly #io: LiveServer;
  readonly #ops: OpsNamespace;
  readonly #clients: LiveClients | null;
  readonly #state: LiveState;
  readonly #viewers: Viewers;
  readonly #handshakes: Handshakes;
  #timer: Timer | null = null;
  #nextTickMs: number;
  #answeredWantedMs = -Infinity;
  #isClosed = false;

  constructor(options: LiveOptions) {
    const { runtime, cacheUrl, channel = 'lockstep:live', lead = () => undefined } = options;
    this.#options = options;
    this.#runtime = runtime;
    this.#clients =
      cacheUrl === null ? null : connectLiveClients(cacheUrl, channel, { log: runtime.log, lead });
    this.#state = new LiveState({
      ...options,
      clusterConnected: () => this.#clients?.connected() ?? null,
    });
    this.#viewers = new Viewers(runtime.clock, (afterMs) => this.#state.eventsAfter(afterMs));
    this.#handshakes = new Handshakes(runtime.clock);
    // It listens nowhere: socket.io wants a server to attach to, and takes every upgrade of that one.
    const doorServer = createServer();
    const door: LiveDoor = {
      path: `${PATH}/`,
      request: (request, response) => void doorServer.emit('request', request, response),
      upgrade: (request, socket, head) => void doorServer.emit('upgrade', request, socket, head),
    };
    const { workers = null } = options;
    this.door = workers === null ? door : amongWorkers(door, workers);
    this.#io = new Server(doorServer, {
      path: PATH,
      serveClient: false,
      transports: ['websocket', 'polling'],
      maxHttpBufferSize: MAX_CLIENT_MESSAGE_BYTES,
      perMessageDeflate: false,
      connectTimeout: TOKEN_WITHIN_MS,
      allowRequest: (request, decide) => {
        const fault = this.#handshakeFault(request);
        decide(fault, fault === null);
      },
      ...(this.#clients === null ? {} : { adapter: this.#clients.adapter }),
    });
    if (workers !== null) this.#io.engine.generateId = () => sessionId(runtime.ids.next(), workers);
    this.#io.engine.on('connection', (socket: EngineSocket) => this.#trackHandshake(socket));
    this.#io.use((socket, next) => {
      this.#endSoon(socket);
      next(refusal('FORBIDDEN', 'connect to the namespace /ops'));
    });
    this.#ops = this.#io.of('/ops');
    this.#ops.use((socket, next) => {
      void this.#admit(socket).then((fault) => {
        if (fault === undefined) this.#handshakes.remove(socket.conn);
        else this.#endSoon(socket);
        next(fault);
      });
    });
    this.#ops.on('connection', (socket) => void this.#welcome(socket));
    this.#listenToOthers();
    this.#nextTickMs = runtime.clock.nowMs() + TICK_MS;
    this.#schedule();
  }

  /** Sockets that watch through this instance. */
  viewers(): number {
    return this.#viewers.count;
  }

  /** Disconnects everyone and stops; the HTTP server stays. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    if (this.#clients !== null) this.#ops.serverSideEmit('goodbye', this.#options.instance);
    this.#ops.local.disconnectSockets(true);
    for (const name of ['/', '/ops']) await this.#io.of(name).adapter.close();
    this.#io.engine.close();
    this.#clients?.close();
  }

  /** Why a new socket is refused before its token is read; null if it may go on. */
  #handshakeFault(request: IncomingMessage): string | null {
    if (this.#isClosed) return 'this instance is stopping';
    const { origin } = this.#options;
    const fault = hostFault(request, origin) ?? originFault(request, origin);
    if (fault !== null) return fault;
    const isTooMany = !this.#handshakes.mayBegin(request.socket.remoteAddress ?? '');
    return isTooMany ? 'too many sockets begin here now' : null;
  }

  #trackHandshake(socket: EngineSocket): void {
    this.#handshakes.add(socket);
    socket.on('packet', () => this.#handshakes.heard(socket));
    socket.on('close', () => this.#handshakes.remove(socket));
  }

  /** A refused socket cannot try another token: it must connect again, within the bounds on new connections. */
  #endSoon({ conn }: { conn: EngineSocket }): void {
    this.#runtime.timers.after(REFUSED_FOR_MS, () => conn.close());
  }

  /** Why the socket may not watch; undefined if it may. Never rejects. */
  async #admit(socket: OpsSocket): Promise<Error | undefined> {
    try {
      const mayWatch = await this.#options.viewing.mayWatch(tokenOf(socket));
      if (mayWatch === null)
        return refusal('UNAUTHENTICATED', 'the live stream needs the admin token, or a key');
      if (!mayWatch)
        return refusal('FORBIDDEN', 'the live stream needs the admin token, or the role viewer');
      return this.#viewers.isFull
        ? refusal('RATE_LIMITED', 'too many sockets watch this instance')
        : undefined;
    } catch (error) {
      const { code, message } = toLockstepError(error);
      return refusal(code, message);
    }
  }

  async #welcome(socket: OpsSocket): Promise<void> {
    if (this.#clients !== null && this.#viewers.count === 0) this.#ops.serverSideEmit('wanted');
    await this.#state.firstFacts(FIRST_FACTS_TIMEOUT_MS);
    this.#viewers.add(socket);
  }

  #listenToOthers(): void {
    this.#ops.on('contribution', (message) => {
      const snapshot = asInstanceSnapshot(message);
      if (snapshot !== null) this.#state.cluster.hear(snapshot);
    });
    this.#ops.on('goodbye', (instance) => {
      if (typeof instance === 'string') this.#state.cluster.goodbye(instance);
    });
    this.#ops.on('wanted', () => {
      const nowMs = this.#runtime.clock.nowMs();
      if (nowMs - this.#answeredWantedMs < WANTED_INTERVAL_MS) return;
      this.#answeredWantedMs = nowMs;
      this.#sendToOthers(this.#state.snapshotNow(this.#viewers.count));
    });
  }

  #schedule(): void {
    const delayMs = Math.max(0, this.#nextTickMs - this.#runtime.clock.nowMs());
    this.#timer = this.#runtime.timers.after(delayMs, () => {
      this.#tick();
      // Ticks that were missed while the process was busy are left out, not made up for.
      const nowMs = this.#runtime.clock.nowMs();
      const behind = Math.max(1, Math.ceil((nowMs - this.#nextTickMs) / TICK_MS));
      this.#nextTickMs += behind * TICK_MS;
      if (!this.#isClosed) this.#schedule();
    });
  }

  #tick(): void {
    try {
      this.#sendToOthers(this.#state.tick(this.#viewers.count));
      const { viewing } = this.#options;
      this.#viewers.endUnless((socket) => viewing.mayStillWatch(tokenOf(socket)));
      this.#viewers.tick();
    } catch (error) {
      // A defect in one tick must not end the stream that operators watch.
      this.#runtime.log.error({ err: error }, 'live stream: a tick failed');
    }
  }

  #sendToOthers(snapshot: object): void {
    if (this.#clients !== null) this.#ops.serverSideEmit('contribution', snapshot);
  }
}

function tokenOf({ handshake }: OpsSocket): string | undefined {
  const { token } = handshake.auth;
  return typeof token === 'string' ? token : undefined;
}

/** A `connect_error` whose `data.code` says why. */
function refusal(code: ErrorCode, detail: string): Error {
  const error = new LockstepError(code, detail);
  return Object.assign(error, { data: { code, detail } });
}
