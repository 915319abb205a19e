import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseCsv } from './csv.ts';

/**
 * The demo's data, read from the npm package `vega-datasets` at run time; none of it is copied into this project.
 *
 * - `airports.csv`: 3,376 airports of the United States and its territories, from Data.gov
 *   (https://catalog.data.gov/dataset/airports-5e97a), a work of the United States Government.
 * - `flights-airport.csv`: how many flights there were on 5,366 routes in 2008, from the U.S. Bureau of Transportation
 *   Statistics (https://www.transtats.bts.gov), a work of the United States Government.
 *
 * Seats and delays are made up.
 */
export interface AirportRow {
  iata: string;
  name: string;
  /** Null where the source says NA. */
  city: string | null;
  state: string | null;
  country: string;
  latitude: number;
  longitude: number;
}

export interface RouteRow {
  origin: string;
  destination: string;
  flights_2008: number;
  seats_left: number;
}

/** In the order of the source. */
export function readAirports(): AirportRow[] {
  return readDataSet('airports.csv').map((record) => ({
    iata: field(record, 'iata'),
    name: field(record, 'name'),
    city: orNull(field(record, 'city')),
    state: orNull(field(record, 'state')),
    country: field(record, 'country'),
    latitude: Number(field(record, 'latitude')),
    longitude: Number(field(record, 'longitude')),
  }));
}

/** Busiest first. */
export function readRoutes(): RouteRow[] {
  const routes = readDataSet('flights-airport.csv').map((record) => {
    const flights = Number(field(record, 'count'));
    return {
      origin: field(record, 'origin'),
      destination: field(record, 'destination'),
      flights_2008: flights,
      seats_left: 150 + (flights % 150),
    };
  });
  return routes.sort((a, b) => b.flights_2008 - a.flights_2008);
}

/** Airports that have flights, busiest first. */
export function busiestAirports(
  airports: readonly AirportRow[],
  routes: readonly RouteRow[],
): AirportRow[] {
  const flights = new Map<string, number>();
  for (const { origin, flights_2008 } of routes) {
    flights.set(origin, (flights.get(origin) ?? 0) + flights_2008);
  }
  return airports
    .filter(({ iata }) => flights.has(iata))
    .sort((a, b) => (flights.get(b.iata) ?? 0) - (flights.get(a.iata) ?? 0));
}

function readDataSet(file: string): Record<string, string>[] {
  // The package exports only its entry point; its files lie beside that one's folder.
  const entry = findDataSet();
  return parseCsv(readFileSync(join(dirname(entry), '..', 'data', file), 'utf8'));
}

function field(record: Record<string, string>, name: string): string {
  const value = record[name];
  if (value === undefined) throw new RangeError(`the data set has no column ${name}`);
  return value;
}

const orNull = (value: string): string | null => (value === 'NA' || value === '' ? null : value);

function findDataSet(): string {
  try {
    return createRequire(import.meta.url).resolve('vega-datasets');
  } catch (cause) {
    const message =
      'The demo needs the package vega-datasets, which is not installed; name a configuration with --config, or install without --omit=optional';
    throw new Error(message, { cause });
  }
}
