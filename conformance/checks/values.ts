import { type JsonObject, parseJson } from '@lockstep/shared';
import type { EntryParts } from '../entries.ts';
import type { Station } from '../station.ts';
import { atWarmStation, type Check } from './check.ts';
import { randomUUID } from 'node:crypto';

const NOTE = { note: 'in the database' };

/** Documents that a careless parser changes. */
const DOCUMENTS: readonly (readonly [label: string, json: string])[] = [
  ['a whole number of 20 digits', '12345678901234567890'],
  ['a decimal that ends with a zero', '1.10'],
  ['a decimal of 25 digits', '0.1234567890123456789012345'],
  ['an exponent beyond a double', '1e400'],
  ['a negative zero', '-0'],
  ['text with escapes', '"\\u2028 \\ud83d\\ude00 \\" \\\\ \\n \\u0000"'],
  ['text beyond ASCII', '"żółć 東京 😀"'],
  ['a member __proto__', '{"__proto__":{"a":1},"constructor":null}'],
];

/** Headers as a later release, or another coordinator, may write them. */
const HEADERS: readonly (readonly [label: string, more: Record<string, unknown>])[] = [
  ['an entity tag', { e: 'x1_-Y' }],
  ['log positions', { p: 'pg:1:0/16B3748', u: 'pg:1:0/16B3748' }],
  ['unknown fields', { zz: { deep: [1, null, 'x'] }, y: null, next: 'text' }],
];

/** Values of every kind of resource, and all that may stand in one. */
export const values: Check = {
  rules: ['reads', 'form'],
  run: (options) =>
    atWarmStation(options, async (station) => {
      await kinds(station);
      for (const [label, more] of HEADERS) await cached(station, `a value with ${label}`, { more });
      await cached(station, 'a value of a great version', { version: 2 ** 52 + 1 });
      await cached(station, 'a value of version 0', { version: 0 });
      for (const [label, json] of DOCUMENTS) await documentOf(station, label, json);
      await otherHeader(station);
      await query(station);
    }),
};

async function kinds(station: Station): Promise<void> {
  const text = `n${station.servers.newId()}`;
  const uuid = randomUUID();
  const rows = [
    await station.row('account', NOTE),
    await station.row('profile', NOTE),
    await station.row('part', NOTE, [text, 'x']),
    await station.row('place', NOTE, [text, 'x']),
    await station.row('item', NOTE, [uuid]),
    await station.row('flag', NOTE, [true]),
  ];
  for (const row of rows) {
    const marked = await station.putMarked(row);
    await station.expectCached('form', `a value of ${row.resource}`, row, marked);
  }
}

async function cached(station: Station, label: string, parts: EntryParts): Promise<void> {
  const row = await station.row('profile', NOTE);
  await station.expectCached('form', label, row, await station.putMarked(row, parts));
}

async function documentOf(station: Station, label: string, json: string): Promise<void> {
  const row = await station.row('profile', NOTE);
  const [id] = row.key;
  const bodyText = `{"id":${String(id)},"name":"","note":"x","data":{"n":${json}}}`;
  await station.put(row, { version: 3, bodyText });
  const wanted = { value: parseJson(bodyText), version: 3 };
  await station.expectCached('form', `a document with ${label}`, row, wanted);
}

/** JSON says nothing of the order of fields, nor of blanks. */
async function otherHeader(station: Station): Promise<void> {
  const row = await station.row('profile', NOTE);
  const value = { ...(row.value as JsonObject), note: 'in the cache' };
  const { owner } = station.servers.resource('profile');
  const header = `{ "o": ${JSON.stringify(owner)}, "t": 1, "f": 1, "v": 4, "s": "value" }`;
  await station.servers.redis.set(row.cacheKey, `${header}\n${JSON.stringify(value)}`, 'EX', 60);
  const wanted = { value, version: 4 };
  await station.expectCached('form', 'a header with its fields in another order', row, wanted);
}

/** The rows are the value, and there is no version. */
async function query(station: Station): Promise<void> {
  const name = `n${station.servers.newId()}`;
  const { cacheKey, key } = { cacheKey: `profiles-by-name:${name}`, key: [name] };
  const row = { resource: 'profiles-by-name' as const, key, cacheKey, value: [], version: null };
  const rows = [{ id: 1, note: 'in the cache' }];
  await station.put(row, { version: 0, body: { rows } });
  await station.expectCached('form', 'a query', row, { value: rows, version: null });
}
