import { describe, expect, it } from 'vitest';
import { loadConfig } from '../config/index.ts';
import { busiestAirports, readAirports, readRoutes } from './data-set.ts';
import { demoConfig } from './index.ts';

describe('the demo configuration', () => {
  it('is one that a user could have written', async () => {
    const { config } = await loadConfig({ raw: demoConfig(), env: {}, cwd: '/' });
    const policies = Object.values(config.resources).map(({ name, policy }) => [name, policy]);
    expect(policies).toEqual([
      ['route', 'strict'],
      ['airport', 'delete-after-write'],
      ['delays', 'delete-after-write'],
      ['booking', 'none'],
    ]);
  });
});

describe('the data set', () => {
  it('has all airports and routes of its source, and every route leads to a known airport', () => {
    const airports = readAirports();
    const routes = readRoutes();
    expect(airports).toHaveLength(3_376);
    expect(routes).toHaveLength(5_366);
    const known = new Set(airports.map(({ iata }) => iata));
    expect(routes.every((row) => known.has(row.origin) && known.has(row.destination))).toBe(true);
    expect(airports.every(({ latitude }) => Number.isFinite(latitude))).toBe(true);
    expect(airports.find(({ iata }) => iata === 'CLD')?.city).toBeNull();
  });

  it('ranks routes and airports by their flights', () => {
    const routes = readRoutes();
    expect(routes[0]).toMatchObject({ origin: 'SFO', destination: 'LAX', flights_2008: 13_788 });
    const busiest = busiestAirports(readAirports(), routes);
    expect(busiest[0]?.iata).toBe('ATL');
    expect(busiest).toHaveLength(new Set(routes.map(({ origin }) => origin)).size);
  });
});
