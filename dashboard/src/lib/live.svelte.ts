/**
 * The live stream as the pages see it.
 *
 * States of the connection:
 *   idle        not asked for
 *   connecting  no snapshot yet
 *   live        events arrive
 *   lost        no events arrive; the page says that what it shows is from the past, and the socket tries again by
 *               itself
 *
 * While paused or lost, every countdown stands still, because it belongs to the moment that is shown.
 * While paused, events are kept (the last of each name, all points of the series) and counted.
 */
import { LIVE_EVENTS, type LiveEvents, type LocksEvent, type MetricsPoint } from '@lockstep/shared';
import { io, type Socket } from 'socket.io-client';
import { basePath } from './api.ts';
import { clock } from './clock.svelte.ts';
import { follow, type BusyKey } from './busy-keys.ts';
import { mergeSeries } from './series.ts';
import { judge, type Seen } from './verdict.ts';

type EventName = keyof LiveEvents;
type Status = 'idle' | 'connecting' | 'live' | 'lost';

/** The coordinator sends once a second. After this time without an event the connection counts as lost. */
const SILENCE_MS = 8_000;
const AGAIN_MS = 3_000;

/** The verdict uses the rates of the last half minute. */
const RECENT_MS = 30_000;

function recentOf(series: readonly MetricsPoint[]): MetricsPoint[] {
  const sinceMs = (series.at(-1)?.atMs ?? 0) - RECENT_MS;
  return series.filter((point) => point.atMs > sinceMs);
}

class Live {
  #socket: Socket | null = null;
  #watch: ReturnType<typeof setInterval> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #lastHeardMs = 0;

  #seen = $state.raw<Seen>({});
  #arrivedMs = $state.raw<Partial<Record<EventName, number>>>({});
  #series = $state.raw<MetricsPoint[]>([]);
  #busyKeys = $state.raw<BusyKey[]>([]);
  #status = $state<Status>('idle');
  #frozenMs = $state<number | null>(null);
  #paused = $state(false);
  #held: { seen: Seen; series: MetricsPoint[] } = { seen: {}, series: [] };
  #heldCount = $state(0);

  readonly #verdict = $derived(judge(this.#seen, recentOf(this.#series)));

  /** The last event of each name. */
  get seen(): Seen {
    return this.#seen;
  }
  /** Points of the last hour, oldest first. */
  get series(): MetricsPoint[] {
    return this.#series;
  }
  get busyKeys(): BusyKey[] {
    return this.#busyKeys;
  }
  get status(): Status {
    return this.#status;
  }
  get paused(): boolean {
    return this.#paused;
  }
  /** Updates that came while paused. */
  get heldCount(): number {
    return this.#heldCount;
  }
  get verdict(): ReturnType<typeof judge> {
    return this.#verdict;
  }
  /** The coordinator's time of the newest event shown; null before the first. */
  get asOfMs(): number | null {
    const times = Object.values(this.#seen).map((event) => event.atMs);
    return times.length === 0 ? null : Math.max(...times);
  }

  /** Milliseconds since the shown event of a name arrived; stands still while paused or lost. Ticks. */
  elapsedMs(name: EventName): number {
    const arrived = this.#arrivedMs[name];
    if (arrived === undefined) return 0;
    return Math.max(0, (this.#frozenMs ?? clock.nowMs) - arrived);
  }

  /** The coordinator's present time, estimated from the newest event. Ticks. */
  nowMs(name: EventName): number {
    const event = this.#seen[name];
    return event === undefined ? Date.now() : event.atMs + this.elapsedMs(name);
  }

  /** Opens the stream. `refused` is called if the token is no longer valid. */
  open(token: string | null, refused: () => void): void {
    this.close();
    this.#status = 'connecting';
    const socket: Socket = io('/ops', {
      path: `${basePath()}live`,
      auth: { token },
      reconnectionDelayMax: 5_000,
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
    });
    this.#socket = socket;
    this.#lastHeardMs = performance.now();
    socket.on('disconnect', () => this.#lose(socket));
    socket.on('connect_error', (error: Error & { data?: { code?: string } }) => {
      const code = error.data?.code;
      if (code === 'UNAUTHENTICATED' || code === 'FORBIDDEN') refused();
      else this.#lose(socket);
    });
    for (const name of LIVE_EVENTS) this.#listen(socket, name);
    this.#watch = setInterval(() => {
      if (performance.now() - this.#lastHeardMs > SILENCE_MS) this.#lose(socket);
    }, 1_000);
  }

  /** Closes the stream and forgets what was shown. */
  close(): void {
    clearInterval(this.#watch);
    clearTimeout(this.#again);
    this.#again = undefined;
    this.#socket?.disconnect();
    this.#socket = null;
    this.#status = 'idle';
    this.#seen = {};
    this.#arrivedMs = {};
    this.#series = [];
    this.#busyKeys = [];
    this.#forgetHeld();
    this.#paused = false;
    this.#frozenMs = null;
  }

  /** Pauses the view, or continues with the newest events. */
  togglePause(): void {
    if (!this.#paused) {
      this.#paused = true;
      this.#frozenMs ??= performance.now();
      return;
    }
    this.#paused = false;
    if (this.#status !== 'lost') this.#frozenMs = null;
    const { seen, series } = this.#held;
    this.#forgetHeld();
    for (const name of LIVE_EVENTS) this.#replay(seen, name);
    this.#series = mergeSeries(this.#series, series);
  }

  #listen<Name extends EventName>(socket: Socket, name: Name): void {
    const event: string = name;
    socket.on(event, (payload: LiveEvents[Name]) => this.#receive(name, payload));
  }

  #receive<Name extends EventName>(name: Name, payload: LiveEvents[Name]): void {
    this.#lastHeardMs = performance.now();
    this.#status = 'live';
    if (!this.#paused) {
      this.#frozenMs = null;
      this.#show(name, payload);
      return;
    }
    this.#held.seen = { ...this.#held.seen, [name]: payload };
    if ('series' in payload) this.#held.series = mergeSeries(this.#held.series, payload.series);
    this.#heldCount += 1;
  }

  #replay<Name extends EventName>(seen: Seen, name: Name): void {
    const payload = seen[name];
    if (payload !== undefined) this.#show(name, payload);
  }

  #show<Name extends EventName>(name: Name, payload: LiveEvents[Name]): void {
    this.#seen = { ...this.#seen, [name]: payload };
    this.#arrivedMs = { ...this.#arrivedMs, [name]: performance.now() };
    if ('series' in payload) this.#series = mergeSeries(this.#series, payload.series);
    if (name === 'locks') this.#busyKeys = follow(this.#busyKeys, payload as LocksEvent);
  }

  #lose(socket: Socket): void {
    if (socket !== this.#socket) return;
    this.#status = 'lost';
    this.#frozenMs ??= performance.now();
    // The library tries again after a lost connection, but not if the server has closed or refused it.
    if (socket.active || this.#again !== undefined) return;
    this.#again = setTimeout(() => {
      this.#again = undefined;
      if (socket === this.#socket) socket.connect();
    }, AGAIN_MS);
  }

  #forgetHeld(): void {
    this.#held = { seen: {}, series: [] };
    this.#heldCount = 0;
  }
}

export const live = new Live();
