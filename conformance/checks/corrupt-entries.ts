import { type Row, said, type Station } from '../station.ts';
import { atWarmStation, type Check } from './check.ts';
import { expectMany } from './many.ts';

const NOTE = { note: 'in the database' };

/** What a text is that begins as a value of this owner, and is no entry. */
type Damage = (header: string, body: string) => string;

const DAMAGES: readonly (readonly [label: string, damage: Damage])[] = [
  ['an empty text', () => ''],
  ['a text that is no JSON', () => 'something else'],
  ['a row without a header', (_, body) => body],
  ['a header without a row', (header) => header],
  ['a header and nothing after it', (header) => `${header}\n`],
  ['a header that is cut off', (header, body) => `${header.slice(0, -1)}\n${body}`],
  ['a header that is a list', (header, body) => `[${header}]\n${body}`],
  ['a header that is null', (_, body) => `null\n${body}`],
  ['a row that is cut off', (header, body) => `${header}\n${body.slice(0, -2)}`],
  [
    'a row that lost its middle',
    (header, body) => `${header}\n${body.slice(0, 4)}${body.slice(8)}`,
  ],
  ['a row with something after it', (header, body) => `${header}\n${body}{}`],
  ['a row in a list', (header, body) => `${header}\n[${body}]`],
  ['a number for a row', (header) => `${header}\n7`],
  ['a text for a row', (header) => `${header}\n"row"`],
  ['a boolean for a row', (header) => `${header}\nfalse`],
  ['NaN in the row', (header, body) => `${header}\n${body.replace('"in the cache"', 'NaN')}`],
  [
    'Infinity in the row',
    (header, body) => `${header}\n${body.replace('"in the cache"', '-Infinity')}`,
  ],
  ['single quotes in the row', (header, body) => `${header}\n${body.replaceAll('"', "'")}`],
  ['a comma at the end of the row', (header, body) => `${header}\n${body.replace(/}$/, ',}')}`],
  [
    'a control character in the row',
    (header, body) => `${header}\n${body.replace('in the', 'in\tthe')}`,
  ],
  [
    'a number with a zero in front',
    (header, body) => `${header}\n${body.replace('"in the cache"', '01')}`,
  ],
  ['a blank line in front', (header, body) => `\n${header}\n${body}`],
  ['no version', (header, body) => `${header.replace(/"v":\d+,/, '')}\n${body}`],
  ['a negative version', (header, body) => `${header.replace(/"v":\d+/, '"v":-1')}\n${body}`],
  ['a broken version', (header, body) => `${header.replace(/"v":\d+/, '"v":1.5')}\n${body}`],
  ['a text for a version', (header, body) => `${header.replace(/"v":\d+/, '"v":"1"')}\n${body}`],
  ['true for a version', (header, body) => `${header.replace(/"v":\d+/, '"v":true')}\n${body}`],
  ['null for a version', (header, body) => `${header.replace(/"v":\d+/, '"v":null')}\n${body}`],
  ['a version beyond 2^53', (header, body) => `${header.replace(/"v":\d+/, '"v":1e300')}\n${body}`],
  [
    'a state that is no text',
    (header, body) => `${header.replace('"value"', '["value"]')}\n${body}`,
  ],
  ['no state', (header, body) => `${header.replace('"s":"value",', '')}\n${body}`],
];

/** Whatever is wrong with a text, the coordinator is asked. */
export const corruptEntries: Check = {
  rules: ['RP6'],
  run: (options) =>
    atWarmStation(options, async (station) => {
      const rows: (Row & { label: string })[] = [];
      for (const [label, damage] of DAMAGES) {
        const row = await damaged(station, damage);
        await station.expectCoordinator('RP6', label, row);
        rows.push({ ...(await damaged(station, damage)), label });
      }
      await expectMany(station, 'RP6', rows);
      await otherTypes(station);
      await queries(station);
    }),
};

async function damaged(station: Station, damage: Damage): Promise<Row> {
  const row = await station.row('account', NOTE);
  await station.putMarked(row);
  const { redis } = station.servers;
  const [header = '', body = ''] = ((await redis.get(row.cacheKey)) ?? '').split('\n');
  await redis.set(row.cacheKey, damage(header, body), 'EX', 60);
  return row;
}

/** Another type of Redis is under the key. */
async function otherTypes(station: Station): Promise<void> {
  const { redis } = station.servers;
  const list = await station.row('account', NOTE);
  const hash = await station.row('account', NOTE);
  const value = await station.row('account', NOTE);
  const put = async (): Promise<Row> => {
    await redis
      .multi()
      .del(list.cacheKey)
      .rpush(list.cacheKey, 'x')
      .expire(list.cacheKey, 60)
      .exec();
    await redis
      .multi()
      .del(hash.cacheKey)
      .hset(hash.cacheKey, 'a', 'x')
      .expire(hash.cacheKey, 60)
      .exec();
    return { ...value, ...(await station.putMarked(value)) };
  };
  const marked = await put();
  await expectMany(station, 'RP6', [
    { ...list, label: 'a list of Redis' },
    { ...marked, label: 'a value beside a list of Redis' },
    { ...hash, label: 'a hash of Redis' },
  ]);
  await put();
  await station.expectCoordinator('RP6', 'a list of Redis', list);
  await station.expectCoordinator('RP6', 'a hash of Redis', hash);
}

/** A query's value is an object with its rows. */
async function queries(station: Station): Promise<void> {
  const bodies = ['[]', '{}', '{"rows":{}}', '{"rows":null}', '{"rows":"x"}'];
  for (const bodyText of bodies) {
    const name = `n${station.servers.newId()}`;
    const row: Row = {
      ...{ resource: 'profiles-by-name', key: [name], cacheKey: `profiles-by-name:${name}` },
      ...{ value: [], version: null },
    };
    await station.put(row, { version: 0, bodyText });
    const { answer, asked } = await station.get(row);
    if (asked.length === 0)
      station.broken(
        'RP6',
        `a query whose value is ${bodyText}: answered ${said(answer)} without asking the coordinator`,
      );
  }
}
