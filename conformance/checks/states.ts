import type { EntryParts } from '../entries.ts';
import type { Rule } from '../findings.ts';
import { type Row, said, type Station } from '../station.ts';
import type { ShopResource } from '../shop.ts';
import { atWarmStation, type Check } from './check.ts';
import { expectAllFromCoordinator } from './many.ts';

const RESOURCES: readonly ShopResource[] = ['account', 'profile'];
const NOTE = { note: 'in the database' };

/** Entries that are no value. `body` is added where it is not said. */
const STATES: readonly (readonly [label: string, parts: EntryParts])[] = [
  ['an intent', { state: 'intent', more: { i: 'i1' } }],
  ['an intent that an invalidation has marked', { state: 'intent', more: { i: 'i2', m: 1 } }],
  ['a lease', { state: 'lease', more: { l: 'l1' } }],
  ['a tombstone', { state: 'tombstone' }],
  ['a tombstone with a log position', { state: 'tombstone', more: { p: 'pg:1:0/16B3748' } }],
  ['a state of a later release', { state: 'frozen' }],
  ['a state in other letters', { state: 'VALUE' }],
];

/** What is no value is the coordinator's to answer, also where a value stood there a moment ago. */
export const states: Check = {
  rules: ['RP3', 'RP4'],
  run: (options) =>
    atWarmStation(options, async (station) => {
      for (const resource of RESOURCES) {
        await station.expectCoordinator(
          'RP3',
          `nothing under ${resource}`,
          await absent(station, resource),
        );
        for (const [label, parts] of STATES) await noValue(station, resource, label, parts);
        await insteadOfValue(station, resource);
      }
      await negative(station);
      await expectAllFromCoordinator(station, 'RP3', STATES);
    }),
};

async function absent(station: Station, resource: ShopResource): Promise<Row> {
  const row = await station.row(resource, NOTE);
  await station.servers.redis.del(row.cacheKey);
  return row;
}

/** With the body `null` as coordinators write it, and with a row in it. */
async function noValue(
  station: Station,
  resource: ShopResource,
  label: string,
  parts: EntryParts,
): Promise<void> {
  const row = await station.row(resource, NOTE);
  await station.put(row, { ...parts, version: row.version ?? 1 });
  await station.expectCoordinator('RP3', label, row);
  const other = await station.row(resource, NOTE);
  await station.putMarked(other, parts);
  await station.expectCoordinator('RP3', `${label} with a row in it`, other);
}

/**
 * The value that was answered before must not be answered again, not even from memory. Where the reader did not look
 * into the cache at all, what it broke is RP9.
 */
async function insteadOfValue(station: Station, resource: ShopResource): Promise<void> {
  for (const [label, parts] of STATES) {
    const row = await station.row(resource, NOTE);
    await station.putMarked(row);
    await station.get(row);
    await station.put(row, { ...parts, version: row.version ?? 1 });
    const { answer, asked, commands } = await station.get(row);
    if (asked.length > 0) continue;
    const rule: Rule = commands.length === 0 ? 'RP9' : 'RP3';
    station.broken(
      rule,
      `${label} after a value: answered ${said(answer)} without asking the coordinator`,
    );
  }
}

/** The database has the row, so that an answer tells where it is from. */
async function negative(station: Station): Promise<void> {
  for (const resource of RESOURCES) {
    const row = await station.row(resource, NOTE);
    await station.put(row, { version: 5, body: null });
    const { answer, asked } = await station.get(row);
    if (asked.length > 0)
      station.broken('reads', `a value with the body null of ${resource}: asked the coordinator`);
    else if (!('absent' in answer))
      station.broken(
        'RP4',
        `a value with the body null of ${resource} was answered as ${said(answer)}`,
      );
  }
}
