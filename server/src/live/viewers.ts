/**
 * The sockets that watch through this instance.
 *
 * A viewer gets all events at once when it connects, then all events with each tick. It never gets two of one name within
 * a second, so the tick right after it has connected skips it. A viewer that has not read the last events yet is skipped
 * too (its series catches up later). After SLOW_LIMIT_MS it is disconnected, or unread events would pile up here.
 */
import type { Namespace, Server, Socket } from 'socket.io';
import { LIVE_EVENTS, type LiveEvents } from '@lockstep/shared';
import type { Runtime } from '../runtime/index.ts';
import type { ViewerEvents } from './live-state.ts';

/** Events by name, as socket.io's types want them. */
export type ServerEvents = { [Name in keyof LiveEvents]: (event: LiveEvents[Name]) => void };
/** Viewers send nothing. */
export type ClientEvents = Record<never, never>;
/** What instances send one another. */
export interface ClusterEvents {
  /** The name that released instances send under. */
  contribution: (snapshot: unknown) => void;
  /** An instance has its first viewer and wants details now. */
  wanted: () => void;
  goodbye: (instance: unknown) => void;
}
export type LiveServer = Server<ClientEvents, ServerEvents, ClusterEvents>;
export type OpsNamespace = Namespace<ClientEvents, ServerEvents, ClusterEvents>;
export type OpsSocket = Socket<ClientEvents, ServerEvents, ClusterEvents>;

const MAX_VIEWERS = 100;
const LEAST_INTERVAL_MS = 900;
const SLOW_LIMIT_MS = 30_000;

interface Viewer {
  socket: OpsSocket;
  sentAtMs: number;
  seriesUntilMs: number;
}

export class Viewers {
  readonly #clock: Runtime['clock'];
  readonly #eventsAfter: (seriesAfterMs: number) => ViewerEvents;
  readonly #viewers = new Map<string, Viewer>();

  constructor(clock: Runtime['clock'], eventsAfter: (seriesAfterMs: number) => ViewerEvents) {
    this.#clock = clock;
    this.#eventsAfter = eventsAfter;
  }

  get count(): number {
    return this.#viewers.size;
  }

  get isFull(): boolean {
    return this.#viewers.size >= MAX_VIEWERS;
  }

  /** Sends everything and keeps the socket informed until it disconnects. */
  add(socket: OpsSocket): void {
    if (!socket.connected) return;
    const viewer: Viewer = { socket, sentAtMs: this.#clock.nowMs(), seriesUntilMs: 0 };
    this.#viewers.set(socket.id, viewer);
    socket.once('disconnect', () => this.#viewers.delete(socket.id));
    this.#send(viewer, this.#eventsAfter(0));
  }

  /** Disconnects those that may watch no more. */
  endUnless(mayWatch: (socket: OpsSocket) => boolean): void {
    for (const { socket } of this.#viewers.values()) if (!mayWatch(socket)) socket.disconnect(true);
  }

  /** Sends the tick's events to every viewer that is due. */
  tick(): void {
    const bySeries = new Map<number, ViewerEvents>();
    for (const viewer of this.#viewers.values()) {
      const sinceMs = this.#clock.nowMs() - viewer.sentAtMs;
      if (sinceMs < LEAST_INTERVAL_MS) continue;
      if (!viewer.socket.conn.transport.writable) {
        if (sinceMs > SLOW_LIMIT_MS) viewer.socket.disconnect(true);
        continue;
      }
      // Viewers that have the same part of the series share the events; mostly that is all of them.
      let events = bySeries.get(viewer.seriesUntilMs);
      if (events === undefined) {
        events = this.#eventsAfter(viewer.seriesUntilMs);
        bySeries.set(viewer.seriesUntilMs, events);
      }
      viewer.sentAtMs = this.#clock.nowMs();
      this.#send(viewer, events);
    }
  }

  #send(viewer: Viewer, { events, seriesUntilMs }: ViewerEvents): void {
    viewer.seriesUntilMs = seriesUntilMs;
    for (const name of LIVE_EVENTS) emit(viewer.socket, name, events);
  }
}

function emit<Name extends keyof LiveEvents>(
  socket: OpsSocket,
  name: Name,
  events: LiveEvents,
): void {
  const send: (name: Name, event: LiveEvents[Name]) => void = socket.emit.bind(socket) as never;
  send(name, events[name]);
}
