import { eventually } from '@lockstep/testkit/poll';
import type { JsonObject } from '@lockstep/shared';
import {
  HEARD_WITHIN_MS,
  isRow,
  type Row,
  said,
  type Station,
  type StationOptions,
} from '../station.ts';
import { atStation, atWarmStation, type Check } from './check.ts';
import { expectMany } from './many.ts';
import { copyOfCache, type OwnServer } from './own-servers.ts';

const NOTE = { note: 'in the database' };
/** How long a reader is watched that must not read a server. */
const WATCH_MS = 1_200;
/** Where no Redis is: nobody replicates from it, and a replica of it goes on with what it has. */
const NOBODY = ['127.0.0.1', 1] as const;

/** Servers that the coordinators do not use. */
export const strangeServers: Check = {
  rules: ['RP1'],
  run: async (options) => {
    await otherServers(options);
    await unknownCache(options);
    await atWarmStation(options, movedCache);
  },
};

/** Servers that are no primary. */
export const primaries: Check = { rules: ['RP1'], run: replicas };

async function otherServers(options: StationOptions): Promise<void> {
  const other = await copyOfCache(options.servers, { id: 'another server' });
  const nameless = await copyOfCache(options.servers, { id: null });
  try {
    for (const [label, { redis, url }] of [
      ['a server with another lockstep:server', other],
      ['a server without lockstep:server', nameless],
    ] as const) {
      await atStation({ ...options, redis: url }, async (station) => {
        await neverFrom(station, redis, `${label}, from the start`);
      });
    }
    await atWarmStation(options, async (station) => {
      station.cache.leadTo(other.url);
      await neverFrom(station, other.redis, 'another server that answers at the same address');
      station.cache.leadTo(station.servers.addresses.redis);
      await station.warmUp();
    });
  } finally {
    await Promise.all([other.stop(), nameless.stop()]);
  }
}

/** A pair of a primary and its replica; they change places while the reader is connected. */
async function replicas(options: StationOptions): Promise<void> {
  const first = await copyOfCache(options.servers, { id: 'same' });
  const second = await copyOfCache(options.servers, { id: null });
  try {
    await second.redis.replicaof('127.0.0.1', first.port);
    await atStation({ ...options, redis: first.url }, async (station) => {
      await station.warmUp((cacheKey, text) => first.redis.set(cacheKey, text));
      await demotion(station, first, second);
    });
    await atStation({ ...options, redis: first.url }, async (station) => {
      const row = await station.row('account', NOTE);
      // As the primary had it before.
      await first.redis.replicaof('NO', 'ONE');
      await first.redis.set(row.cacheKey, old(station, row));
      await first.redis.replicaof(...NOBODY);
      await never(station, [row], 'a replica, from the start');
    });
  } finally {
    await Promise.all([first.stop(), second.stop()]);
  }
}

async function demotion(station: Station, first: OwnServer, second: OwnServer): Promise<void> {
  const rows = [
    await station.row('account', NOTE),
    await station.row('account', NOTE),
    await station.row('account', NOTE),
  ];
  for (const row of rows) await first.redis.set(row.cacheKey, old(station, row));
  const [one] = rows;
  await eventually(async () => {
    if (one === undefined || (await second.redis.exists(one.cacheKey)) === 0)
      throw new Error('The replica did not follow its primary');
  });
  await second.redis.replicaof('NO', 'ONE');
  await first.redis.replicaof(...NOBODY);
  // At once: nothing but the reply itself can tell.
  for (const row of rows) {
    await station.expectCoordinator(
      'RP1',
      'a server that was demoted over the living connection',
      row,
    );
  }
  const labelled = rows.map((row) => ({ ...row, label: 'a server that was demoted' }));
  await expectMany(station, 'RP1', labelled);
  station.cache.leadTo(second.url);
  await station.warmUp((cacheKey, text) => second.redis.set(cacheKey, text));
}

/** An entry whose row is none that the database has. */
function old(station: Station, row: Row): string {
  const value = { ...(row.value as JsonObject), note: 'on a server that is not the cache' };
  return station.entry(row, { version: row.version ?? 1, body: value });
}

/** The coordinator does not know yet what its cache holds. */
function unknownCache(options: StationOptions): Promise<void> {
  const prepare: StationOptions['prepare'] = (coordinator) => {
    coordinator.change = (catalog) => (catalog.cacheId = null);
  };
  return atStation({ ...options, prepare }, async (station) => {
    const row = await station.row('account', NOTE);
    const watched = await station.within(WATCH_MS, async () => {
      // The coordinator replaces what it did not write.
      await station.putMarked(row);
      return (await station.get(row)).asked.length === 0;
    });
    if (watched) station.broken('RP1', 'a cache whose id the coordinator does not know was read');
  });
}

/** The coordinators use another cache from now on. */
async function movedCache(station: Station): Promise<void> {
  station.coordinator.change = (catalog) => (catalog.cacheId = 'the next cache');
  const told = station.coordinator.catalogsAnswered;
  const row = await station.row('account', NOTE);
  const isFollowed = await station.within(HEARD_WITHIN_MS, async () => {
    await station.putMarked(row);
    return (await station.get(row)).asked.length > 0;
  });
  if (isFollowed) return;
  station.broken(
    station.wasToldAgain(told) ? 'RP1' : 'RP10',
    'the former cache was still read 15 s after the coordinator had named another',
  );
}

async function neverFrom(
  station: Station,
  redis: OwnServer['redis'],
  label: string,
): Promise<void> {
  const rows = [await station.row('account', NOTE), await station.row('profile', NOTE)];
  for (const row of rows) await redis.set(row.cacheKey, old(station, row));
  await never(station, rows, label);
}

/** For a while no entry may be answered. */
async function never(station: Station, rows: readonly Row[], label: string): Promise<void> {
  const untilMs = performance.now() + WATCH_MS;
  while (performance.now() < untilMs) {
    for (const row of rows) {
      const { answer } = await station.get(row);
      if (isRow(answer, row)) continue;
      station.broken('RP1', `${label}: answered ${said(answer)}`);
      return;
    }
    await station.within(40, () => Promise.resolve(false));
  }
}
