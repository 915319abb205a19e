import type { JsonObject } from '@lockstep/shared';
import type { Random } from '../runtime/index.ts';
import type { AirportRow, RouteRow } from './data-set.ts';
import { Zipf } from './zipf.ts';

/** One call of the HTTP API. */
export interface LoadOperation {
  method: 'GET' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below `/v1/resources/`. */
  path: string;
  body?: JsonObject;
  /** What sets it right where the answer has this status: seats refilled, a row put back. */
  onStatus?: { status: number; then: LoadOperation };
}

/** Keys that take part; the rest of the tables stays still. Few enough that audits see every cached key. */
const ROUTES = 500;
const AIRPORTS = 300;
const BOOKINGS = 2_000;
const SKEW = 0.95;
/** Share of the keys, the busiest first, that are ever written: the others keep made drift until an audit finds it. */
const WRITTEN = 0.6;
/** Buyers who want the same route at the same moment. */
const RUSH_BUYERS = 14;
const RUSH_ROUTES = 6;
const REFILL_SEATS = 150;

/** What a small airline's services ask of Lockstep, as an endless random sequence. */
export class LoadPlan {
  readonly #random: Random;
  readonly #routes: readonly RouteRow[];
  readonly #airports: readonly AirportRow[];
  readonly #routeReads: Zipf;
  readonly #routeWrites: Zipf;
  readonly #airportReads: Zipf;
  readonly #airportWrites: Zipf;

  /** @param routes busiest first @param airports busiest first */
  constructor(routes: readonly RouteRow[], airports: readonly AirportRow[], random: Random) {
    this.#random = random;
    this.#routes = routes.slice(0, ROUTES);
    this.#airports = airports.slice(0, AIRPORTS);
    this.#routeReads = new Zipf(this.#routes.length, SKEW);
    this.#routeWrites = new Zipf(Math.ceil(this.#routes.length * WRITTEN), SKEW);
    this.#airportReads = new Zipf(this.#airports.length, SKEW);
    this.#airportWrites = new Zipf(Math.ceil(this.#airports.length * WRITTEN), SKEW);
  }

  /** The next single operation: about two thirds reads. */
  next(): LoadOperation {
    const dice = this.#random.next() * 100;
    if (dice < 42) return read(routePath(this.#route(this.#routeReads)));
    if (dice < 62) return read(airportPath(this.#airport(this.#airportReads)));
    if (dice < 65) return this.#lookAtDelays(this.#airport(this.#airportReads));
    if (dice < 67) return read(`booking/${this.#reference()}`);
    if (dice < 83) return this.#buySeats(this.#route(this.#routeWrites));
    if (dice < 93) return this.#reportDelay(this.#airport(this.#airportWrites));
    if (dice < 94) return this.#putRoute(this.#route(this.#routeWrites));
    if (dice < 94.5) return this.#closeAirport(this.#airport(this.#airportWrites));
    if (dice < 97.5) return this.#book(this.#route(this.#routeWrites));
    return { method: 'DELETE', path: `booking/${this.#reference()}` };
  }

  /** Many buyers of one busy route at once: what a lock is for. */
  rush(): LoadOperation[] {
    const route = this.#routes[this.#whole(Math.min(RUSH_ROUTES, this.#routes.length))];
    if (route === undefined) return [];
    return Array.from({ length: RUSH_BUYERS }, () => this.#buySeats(route));
  }

  /** The board of delays of the airport's state. */
  #lookAtDelays(airport: AirportRow): LoadOperation {
    const { state } = airport;
    return read(state === null ? airportPath(airport) : `delays/${encodeURIComponent(state)}`);
  }

  #buySeats(route: RouteRow): LoadOperation {
    const seats = 1 + this.#whole(3);
    return {
      method: 'PATCH',
      path: routePath(route),
      body: { $inc: { seats_left: -seats } },
      // Sold out: the check constraint refused it. The airline then puts on another aircraft.
      onStatus: {
        status: 409,
        then: {
          method: 'PATCH',
          path: routePath(route),
          body: { $inc: { seats_left: REFILL_SEATS } },
        },
      },
    };
  }

  #reportDelay(airport: AirportRow): LoadOperation {
    return {
      method: 'PATCH',
      path: airportPath(airport),
      body: { delay_minutes: this.#whole(12) * 5 },
      onStatus: { status: 404, then: putAirport(airport) },
    };
  }

  /** An airport goes, and comes back as soon as somebody reports a delay there. */
  #closeAirport(airport: AirportRow): LoadOperation {
    return { method: 'DELETE', path: airportPath(airport) };
  }

  #putRoute(route: RouteRow): LoadOperation {
    const { flights_2008 } = route;
    const seats = REFILL_SEATS + this.#whole(REFILL_SEATS);
    return { method: 'PUT', path: routePath(route), body: { flights_2008, seats_left: seats } };
  }

  #book({ origin, destination }: RouteRow): LoadOperation {
    const seats = 1 + this.#whole(4);
    const body = { origin, destination, seats };
    return { method: 'PUT', path: `booking/${this.#reference()}`, body };
  }

  #route(ranks: Zipf): RouteRow {
    return pick(this.#routes, ranks.pick(this.#random.next()));
  }

  #airport(ranks: Zipf): AirportRow {
    return pick(this.#airports, ranks.pick(this.#random.next()));
  }

  #reference(): string {
    return `LS${String(this.#whole(BOOKINGS)).padStart(4, '0')}`;
  }

  #whole(below: number): number {
    return Math.floor(this.#random.next() * below);
  }
}

const read = (path: string): LoadOperation => ({ method: 'GET', path });
const routePath = ({ origin, destination }: RouteRow): string =>
  `route/${encodeURIComponent(origin)},${encodeURIComponent(destination)}`;
const airportPath = ({ iata }: AirportRow): string => `airport/${encodeURIComponent(iata)}`;

function putAirport(airport: AirportRow): LoadOperation {
  const { iata: _, ...columns } = airport;
  return { method: 'PUT', path: airportPath(airport), body: columns };
}

function pick<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`there is no item ${index}`);
  return item;
}
