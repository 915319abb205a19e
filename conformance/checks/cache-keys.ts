import { randomUUID } from 'node:crypto';
import type { CatalogResource, JsonObject } from '@lockstep/shared';
import type { KeyPart } from '../reader-process.ts';
import type { SeenCommand } from '../proxies/cache-proxy.ts';
import { said, type Read, type Row, type Station, type StationOptions } from '../station.ts';
import type { ShopResource } from '../shop.ts';
import { atWarmStation, type Check } from './check.ts';

const NOTE = { note: 'in the database' };
const SERVER_ID_KEY = 'lockstep:server';
/** Commands that read keys, with where in them these stand. */
const READS: Record<string, 'first' | 'all'> = {
  GET: 'first',
  GETEX: 'first',
  GETRANGE: 'first',
  STRLEN: 'first',
  TYPE: 'first',
  DUMP: 'first',
  GETDEL: 'first',
  MGET: 'all',
  EXISTS: 'all',
  WATCH: 'all',
};

/** Cache keys are the coordinator's own, or are not made. */
export const cacheKeys: Check = {
  rules: ['RP2'],
  run: async (options) => {
    await atWarmStation(options, async (station) => {
      await certain(station);
      await uncertain(station);
    });
    await unknownRule(options);
  },
};

/** Keys that every reader may spell: if it reads an entry, it is the right one. */
async function certain(station: Station): Promise<void> {
  const n = `n${station.servers.newId()}`;
  const uuid = randomUUID();
  const keys: readonly (readonly [ShopResource, readonly KeyPart[], (readonly string[])?])[] = [
    ['account', [-station.servers.newId()]],
    ['account', [String(station.servers.newId())]],
    ['account', ['9007199254740993']],
    ['item', [uuid.toUpperCase()], [uuid]],
    ['part', [n, 'a:b%c']],
    ['part', [`${n}:x`, 'y']],
    ['part', [n, '%3A']],
    ['part', [n, 'a b,c/d?e#f+g&h']],
    ['part', [n, '']],
    ['part', [n, 'żółć 東京 😀']],
    ['part', [n, 'e\u0301 is not \u00e9']],
    ['part', [n, '{curly} "quoted" back\\slash']],
    ['part', [n, '007']],
    ['place', [n, 'a·b']],
    ['place', [`${n}·c:%`, 'Łódź']],
  ];
  for (const [resource, key, texts] of keys) {
    const row = await station.row(resource, NOTE, key, texts ?? key.map(String));
    await readByCoordinator(station, row);
    const marked = await station.putMarked(row);
    const read = await station.get(row);
    onlyKeys(station, read, row, [row.cacheKey]);
    const { answer, asked } = read;
    const wanted = asked.length > 0 ? row : marked;
    if (
      !('value' in answer) ||
      (answer.value as JsonObject)['note'] !== (wanted.value as JsonObject)['note']
    )
      station.broken('RP2', `${keyIn(row)}: its row was answered as ${said(answer)}`);
  }
}

/** The kit makes cache keys by itself: the coordinator shows whether it makes the same. */
async function readByCoordinator(
  station: Station,
  { resource, key, cacheKey }: Row,
): Promise<void> {
  const { servers } = station;
  await servers.redis.del(cacheKey);
  await servers.read(resource, key);
  if ((await servers.redis.exists(cacheKey)) === 0)
    throw new Error(
      `The coordinator has no entry at ${cacheKey} for ${resource} ${JSON.stringify(key)}.`,
    );
}

/** Keys whose text only the coordinator knows, each with an entry at the key that a guess makes. */
async function uncertain(station: Station): Promise<void> {
  const id = station.servers.newId();
  const uuid = randomUUID();
  const day = `${2000 + (id % 900)}-01-02`;
  const account = await station.row('account', NOTE, [id]);
  const item = await station.row('item', NOTE, [uuid]);
  const dayRow = await station.row('day', NOTE, [day]);
  const cases: readonly (readonly [Row, KeyPart[], guesses: string[]])[] = [
    [account, [`0${id}`], [`account:0${id}`]],
    [account, [` ${id}`], [`account: ${id}`]],
    [account, [`+${id}`], [`account:+${id}`]],
    [dayRow, [day], [`day:${day}`]],
    [item, [uuid.replaceAll('-', '')], [`item:${uuid.replaceAll('-', '')}`]],
    [item, [`{${uuid}}`], [`item:{${uuid}}`]],
  ];
  for (const [of, key, guesses] of cases) await mustAsk(station, { ...of, key }, guesses);
  await noKeys(station, id);
}

async function mustAsk(station: Station, row: Row, guesses: readonly string[]): Promise<void> {
  const value = { ...(row.value as JsonObject), note: 'guessed' };
  const text = station.entry(row, { version: row.version ?? 1, body: value });
  for (const guess of guesses) await station.servers.redis.set(guess, text, 'EX', 60);
  const read = await station.get(row);
  onlyKeys(station, read, row, []);
  const { answer, asked } = read;
  // The coordinator may know the spelling, or refuse it.
  if (asked.length === 0 && !('error' in answer))
    station.broken('RP2', `${keyIn(row)}: answered ${said(answer)} without asking the coordinator`);
}

/** What is no key of the resource at all. */
async function noKeys(station: Station, id: number): Promise<void> {
  const cases: readonly (readonly [ShopResource, KeyPart[], guess: string])[] = [
    ['account', [id, id], `account:${id}`],
    ['account', [], 'account:'],
    ['account', [''], 'account:'],
    ['account', [1.5], 'account:1.5'],
    ['account', [true], 'account:true'],
    ['account', ['1e3'], 'account:1e3'],
    ['part', [`n${id}`], `part:n${id}:`],
    ['part', [`n${id}`, true], `part:n${id}:true`],
    ['flag', ['t'], 'flag:t'],
    ['flag', ['TRUE'], 'flag:TRUE'],
    ['item', ['none'], 'item:none'],
  ];
  for (const [resource, key, guess] of cases) {
    const row: Row = { resource, key, cacheKey: guess, value: { note: 'none' }, version: 1 };
    await mustAsk(station, row, [guess]);
  }
}

/** A later release has a rule for keys that this reader cannot know. */
async function unknownRule(options: StationOptions): Promise<void> {
  const prepare: StationOptions['prepare'] = (coordinator) => {
    coordinator.change = changing('account', (resource) => {
      for (const part of resource.key) Object.assign(part, { text: 'roman' });
    });
  };
  await atWarmStation({ ...options, prepare }, async (station) => {
    const row = await station.row('account', NOTE);
    await station.putMarked(row);
    if ((await station.get(row)).asked.length === 0)
      station.broken('RP2', 'a key of a rule that no reader can know yet was made');
  });
}

/** A change of one resource in the list of resources. */
export const changing =
  (name: ShopResource, change: (resource: CatalogResource) => void) =>
  ({ resources }: { resources: CatalogResource[] }): void => {
    for (const resource of resources) if (resource.name === name) change(resource);
  };

function onlyKeys(
  station: Station,
  { commands }: Read,
  row: Row,
  allowed: readonly string[],
): void {
  for (const key of new Set(commands.flatMap(keysIn))) {
    if (key !== SERVER_ID_KEY && !allowed.includes(key))
      station.broken(
        'RP2',
        `${keyIn(row)}: read the cache key ${JSON.stringify(key)}${allowed[0] === undefined ? ', which is not certain' : `, and it is ${JSON.stringify(allowed[0])}`}`,
      );
  }
}

function keysIn({ name, words }: SeenCommand): readonly string[] {
  const place = READS[name];
  if (place === undefined) return [];
  return place === 'all' ? words.slice(1) : words.slice(1, 2);
}

const keyIn = ({ resource, key }: Pick<Row, 'resource' | 'key'>): string =>
  `key ${JSON.stringify(key)} of ${resource}`;
