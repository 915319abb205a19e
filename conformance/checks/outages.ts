import type { GivenAnswer } from '../proxies/coordinator-proxy.ts';
import { isRow, type Row, said, type Station } from '../station.ts';
import { atStation, atWarmStation, type Check } from './check.ts';
import { copyOfCache } from './own-servers.ts';

const NOTE = { note: 'in the database' };

/** The cache or the coordinator is away, or hangs. */
export const outages: Check = {
  rules: ['RP7'],
  run: async (options) => {
    await atWarmStation(options, async (station) => {
      await cacheAway(station);
      await cacheHangs(station);
    });
    await atStation({ ...options, prepare: (_, cache) => cache.goAway() }, cacheAwayAtFirst);
    await atWarmStation(options, unansweredCommand);
    await atWarmStation(options, coordinatorAway);
    await atWarmStation(options, coordinatorRefuses);
  },
};

async function cacheAway(station: Station): Promise<void> {
  const row = await station.row('account', NOTE);
  const marked = await station.putMarked(row);
  station.cache.goAway();
  await station.expectCoordinator('RP7', 'the cache refuses connections', row, marked);
  station.cache.comeBack();
  await station.warmUp();
}

async function cacheHangs(station: Station): Promise<void> {
  const row = await station.row('account', NOTE);
  const marked = await station.putMarked(row);
  station.cache.hold('commands');
  station.cache.hold('replies');
  await station.expectCoordinator('RP7', 'the cache hangs', row, marked);
  await station.expectCoordinator('RP7', 'the cache goes on hanging', row, marked);
  station.cache.letGo();
  await station.warmUp();
}

async function cacheAwayAtFirst(station: Station): Promise<void> {
  const row = await station.row('account', NOTE);
  await station.expectCoordinator('RP7', 'the cache refuses connections from the start', row);
  station.cache.comeBack();
  await station.warmUp();
}

/** A command has no answer when the connection ends; the next server must not get it. */
async function unansweredCommand(station: Station): Promise<void> {
  const row = await station.row('account', NOTE);
  const other = await copyOfCache(station.servers, { id: 'another server' });
  try {
    const value = { ...(row.value as object), note: 'on another server' };
    await other.redis.set(row.cacheKey, station.entry(row, { version: 1, body: value }));
    const marked = await station.putMarked(row);
    station.cache.hold('commands');
    const sent = station.cache.commands.length;
    const reading = station.reader.get(row);
    await station.within(5_000, () => Promise.resolve(station.cache.commands.length > sent));
    station.cache.leadTo(other.url);
    station.cache.letGo();
    const answer = await reading;
    if (!isRow(answer, row) && !isRow(answer, marked))
      station.broken(
        'RP7',
        `a command had no answer when the connection was led to another server: answered ${said(answer)}`,
      );
  } finally {
    station.cache.leadTo(station.servers.addresses.redis);
    await other.stop();
  }
}

async function coordinatorAway(station: Station): Promise<void> {
  const value = await station.row('account', NOTE);
  const marked = await station.putMarked(value);
  const rows = await unanswerable(station);
  station.coordinator.goAway();
  const { answer } = await station.get(value);
  // It may answer an error too.
  if (!isRow(answer, marked) && !('error' in answer))
    station.broken('RP7', `without a coordinator, a value was answered as ${said(answer)}`);
  await onlyErrors(station, rows, 'without a coordinator');
  station.coordinator.comeBack();
}

/** Whatever stands between may answer too; only a coordinator's NOT_FOUND says that there is no row. */
async function coordinatorRefuses(station: Station): Promise<void> {
  const rows = await unanswerable(station);
  for (const [label, answer] of REFUSALS) {
    station.coordinator.answerInstead = answer;
    await onlyErrors(station, rows, `where the coordinator answers ${label}`);
  }
  station.coordinator.answerInstead = null;
}

const problem = (status: number, code: string): GivenAnswer => ({
  status,
  contentType: 'application/problem+json',
  body: JSON.stringify({ status, code, title: code, outcome: 'not_applied', retryable: false }),
});
const page = (status: number): GivenAnswer => ({
  ...{ status, contentType: 'text/html' },
  body: '<html><body>A page of a gateway</body></html>',
});
const REFUSALS: readonly (readonly [label: string, answer: GivenAnswer])[] = [
  ['503 DATABASE_UNAVAILABLE', problem(503, 'DATABASE_UNAVAILABLE')],
  ['404 UNKNOWN_RESOURCE', problem(404, 'UNKNOWN_RESOURCE')],
  ['a page with 404', page(404)],
  ['a page with 502', page(502)],
  ['a page with 200', page(200)],
];

interface Unanswerable {
  label: string;
  row: Row;
}

/** Rows of which the cache has no value. The reader has seen each before. */
async function unanswerable(station: Station): Promise<Unanswerable[]> {
  const none = await station.row('account', NOTE);
  await station.servers.redis.del(none.cacheKey);
  const rows: Unanswerable[] = [{ label: 'nothing in the cache', row: none }];
  for (const state of ['intent', 'tombstone', 'lease']) {
    const row = await station.row('account', NOTE);
    await station.putMarked(row);
    await station.get(row);
    const parts = { state, more: state === 'lease' ? { l: 'l' } : {} };
    await station.putMarked(row, parts);
    const { asked } = await station.get(row);
    // What is answered even now is no matter of an outage: another check finds it.
    if (asked.length === 0) continue;
    // The coordinator may have replaced it.
    await station.putMarked(row, parts);
    rows.push({ label: `the entry "${state}"`, row });
  }
  return rows;
}

async function onlyErrors(
  station: Station,
  rows: readonly Unanswerable[],
  when: string,
): Promise<void> {
  for (const { label, row } of rows) {
    const { answer, commands } = await station.get(row);
    if ('error' in answer) continue;
    // A value that was kept: the cache was not looked into.
    const rule = commands.length === 0 && 'value' in answer ? 'RP9' : 'RP7';
    station.broken(rule, `${when}, ${label} was answered as ${said(answer)}`);
  }
}
