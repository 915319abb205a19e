import type { Server } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import type { KeyInspection, ReloadReport } from '@lockstep/shared';
import { lockNames } from '../api/index.ts';
import type { Config } from '../config/index.ts';
import type { Key } from '../domain/index.ts';
import type { Readiness } from '../health/index.ts';
import type { MetricFamilies } from '../metrics/index.ts';
import type { AskedOfParent, AskedOfWorker, Channel, WorkerPipe } from '../workers/index.ts';
import type { Servers } from './servers.ts';

/** Longer than the parent waits for any worker. */
const PARENT_MS = 2_000;
const RELOADED_MS = 20_000;
const LEAVING_MS = 500;
/** As many as one process shows. */
const MAX_EVENTS = 20;

export interface WorkerWorldOptions {
  pipe: WorkerPipe;
  parent: Channel<AskedOfParent, AskedOfWorker>;
  servers: Servers;
  /** Where callers reach the coordinator. */
  url: string;
  /** Where this worker alone listens. Port 0: any free one of this machine, which callers are not told. */
  own: { host: string; port: number };
}

/** What is different for a coordinator that is one of several workers behind one port. */
export class WorkerWorld {
  readonly servers: Servers;
  readonly url: string;
  /** The addresses of all workers, told by the parent process. */
  siblings: ReadonlySet<string> = new Set();
  /** For the live stream's sessions. */
  readonly sessions = { ownPort: () => this.#ownPort, addresses: () => this.siblings };
  #ownPort: number | null = null;
  readonly #parent: WorkerWorldOptions['parent'];
  readonly #own: WorkerWorldOptions['own'];
  readonly #pipe: WorkerPipe;

  constructor({ pipe, parent, servers, url, own }: WorkerWorldOptions) {
    this.#pipe = pipe;
    this.servers = servers;
    this.url = url;
    this.#parent = parent;
    this.#own = own;
  }

  /** Whether nobody outside of this coordinator may be told the address. */
  isPrivate(address: string): boolean {
    return this.#own.port === 0 && this.siblings.has(address);
  }

  /** The server takes connections at this worker's own address too. */
  async listenAlone(server: Server): Promise<{ address: string; close: () => void }> {
    const { host, port } = this.#own;
    const door = createServer((socket) => void server.emit('connection', socket));
    await new Promise<void>((resolve, reject) => {
      door.once('error', reject);
      door.listen({ host, port }, resolve);
    });
    const { address, family, port: actual } = door.address() as AddressInfo;
    this.#ownPort = actual;
    const shown = family === 'IPv6' ? `[${address}]` : address;
    return { address: `http://${shown}:${actual}`, close: () => void door.close() };
  }

  /** The server takes the connections of the common port that are handed to this worker. */
  takeConnections(server: Server): void {
    this.#pipe.onConnection((socket) => void server.emit('connection', socket));
  }

  /** Where other coordinators reach this worker, if it listens at `address`. */
  addressOf(address: string, { routing }: Pick<Config, 'routing'>): string {
    if (routing.address === null || this.#own.port === 0) return address;
    const shown = new URL(routing.address);
    shown.port = String(this.#own.port);
    return shown.origin;
  }

  /** Resolves once this worker gets no more connections. */
  async closePort(): Promise<void> {
    await this.#parent.ask('closePort', null, PARENT_MS).catch(() => undefined);
  }

  metricsText(): Promise<string> {
    return this.#parent.ask('metrics', null, PARENT_MS);
  }

  ready(): Promise<Readiness> {
    return this.#parent.ask('ready', null, PARENT_MS);
  }

  /** Adds what the other workers know about a key. */
  async withOthers(key: Key, own: KeyInspection): Promise<KeyInspection> {
    const question = { lockKey: key.lockKey, names: lockNames(key) };
    const parts = await this.#parent.ask('key', question, PARENT_MS);
    const events = [...own.events, ...parts.flatMap((part) => part.events)];
    return {
      ...own,
      lock: own.lock ?? parts.find(({ lock }) => lock !== null)?.lock ?? null,
      events: events.sort((a, b) => b.atMs - a.atMs).slice(0, MAX_EVENTS),
    };
  }

  /** The other workers follow what this one has read and checked. */
  async othersFollow(config: Config, report: ReloadReport): Promise<ReloadReport> {
    const isFollowed = await this.#parent.ask('reloaded', config, RELOADED_MS);
    return { ...report, settled: report.settled && isFollowed };
  }

  /** Tells the parent that this worker ends without being asked to. Never rejects. */
  async leaving(families: MetricFamilies): Promise<void> {
    await this.#parent.ask('leaving', families, LEAVING_MS).catch(() => undefined);
  }
}
