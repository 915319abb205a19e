import type { EntryParts } from '../entries.ts';
import type { GivenAnswer } from '../proxies/coordinator-proxy.ts';
import type { SeenCommand } from '../proxies/cache-proxy.ts';
import type { Servers } from '../servers.ts';
import type { Station } from '../station.ts';
import { atWarmStation, type Check } from './check.ts';

/** Nothing that the coordinator does: it is not asked. */
const REFUSAL: GivenAnswer = {
  status: 503,
  contentType: 'application/problem+json',
  body: '{"status":503,"code":"DATABASE_UNAVAILABLE","outcome":"not_applied","retryable":false}',
};
const ENTRIES: readonly (readonly [label: string, parts: EntryParts | null])[] = [
  ['a value', {}],
  ['a value with the body null', { body: null }],
  ['an intent', { state: 'intent', more: { i: 'i' } }],
  ['a tombstone', { state: 'tombstone' }],
  ['a lease', { state: 'lease', more: { l: 'l' } }],
  ['a value of another owner', { owner: 'other/account#1' }],
  ['a row that is no JSON', { bodyText: '{"id":' }],
  ['nothing', null],
];

/** Entries are after the reads what they were before, and how long they have to live. */
export const changes: Check = {
  rules: ['RP11'],
  run: (options) =>
    atWarmStation(options, async (station) => {
      const { redis } = station.servers;
      // Before the coordinator is kept from the reader: rows that it writes.
      const rows = await Promise.all(
        ENTRIES.map(async ([label, parts]) => {
          const row = await station.row('account', { note: 'in the database' });
          if (parts === null) await redis.del(row.cacheKey);
          else await station.putMarked(row, parts);
          return { label, row };
        }),
      );
      station.coordinator.answerInstead = REFUSAL;
      for (const { label, row } of rows) {
        const before = await stateOf(station.servers, row.cacheKey);
        await station.get(row);
        await station.get(row);
        const after = await stateOf(station.servers, row.cacheKey);
        if (before !== after)
          station.broken('RP11', `${label}: its entry was changed, or its TTL was`);
      }
      station.coordinator.answerInstead = null;
      for (const { row } of rows) await station.get(row);
      await onlyReads(station);
    }),
};

async function stateOf({ redis }: Servers, cacheKey: string): Promise<string> {
  const [bytes, expiresAtMs] = await Promise.all([
    redis.get(cacheKey),
    redis.pexpiretime(cacheKey),
  ]);
  return JSON.stringify([bytes, expiresAtMs]);
}

/** Of all commands that it sent, none writes. */
export async function onlyReads(station: Station): Promise<void> {
  const names = [...new Set(station.cache.commands.map(({ name }) => name))];
  if (names.length === 0) return;
  const writing = new Set(await writingCommands(station.servers, names));
  const isReading = ({ name, words }: SeenCommand): boolean =>
    !writing.has(name) || (name === 'GETEX' && words.length === 2);
  const sent = new Set(
    station.cache.commands
      .filter((command) => !isReading(command))
      .map(({ words }) => words.slice(0, 3).join(' ')),
  );
  for (const command of [...sent].slice(0, 3))
    station.broken('RP11', `sent the command ${command.slice(0, 100)}`);
}

async function writingCommands({ redis }: Servers, names: readonly string[]): Promise<string[]> {
  const infos = (await redis.call('COMMAND', ['INFO', ...names])) as (
    [string, number, string[]] | null
  )[];
  return infos.flatMap((info) =>
    info?.[2].includes('write') === true ? [info[0].toUpperCase()] : [],
  );
}
