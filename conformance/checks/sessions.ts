import { isRow, type Row, said, type Station } from '../station.ts';
import type { SeenRequest } from '../proxies/coordinator-proxy.ts';
import { atWarmStation, type Check } from './check.ts';

/** Sessions that have seen a version, and then meet an entry of a lower one. */
export const sessions: Check = {
  rules: ['RP8'],
  run: (options) =>
    atWarmStation(options, async (station) => {
      if (!station.has.has('sessions')) {
        station.findings.skipped('RP8', 'the reader says that it has no sessions');
        return;
      }
      await afterCache(station);
      await afterCoordinator(station);
      await ofOtherResource(station);
      await negative(station);
      await apart(station);
    }),
};

/** At version 2 at least. */
async function rewrittenRow(station: Station): Promise<Row> {
  const row = await station.row('profile', { note: 'first' });
  return station.row('profile', { note: 'second' }, row.key);
}

async function afterCache(station: Station): Promise<void> {
  const row = await rewrittenRow(station);
  const session = newSession(station);
  await station.put(row, { version: row.version ?? 2, body: row.value });
  await station.get(row, session);
  await station.putMarked(row, { version: (row.version ?? 2) - 1 });
  await expectNewer(station, 'after the version was read from the cache', row, session);
}

async function afterCoordinator(station: Station): Promise<void> {
  const row = await rewrittenRow(station);
  const session = newSession(station);
  await station.servers.redis.del(row.cacheKey);
  await station.get(row, session);
  await station.putMarked(row, { version: (row.version ?? 2) - 1 });
  await expectNewer(station, 'after the version was read from a coordinator', row, session);
}

/** Two resources have the same rows. */
async function ofOtherResource(station: Station): Promise<void> {
  const row = await rewrittenRow(station);
  const session = newSession(station);
  await station.servers.redis.del(row.cacheKey);
  await station.get(row, session);
  const [id] = row.key;
  const { value, version } = (await station.servers.read('card', row.key)) ?? row;
  const card: Row = { ...row, resource: 'card', cacheKey: `card:${String(id)}`, value, version };
  await station.putMarked(card, { version: (row.version ?? 2) - 1 });
  await expectNewer(
    station,
    'after the version was read by another resource of the same rows',
    card,
    session,
  );
}

/** That there is no row is old too. */
async function negative(station: Station): Promise<void> {
  const row = await rewrittenRow(station);
  const session = newSession(station);
  await station.servers.redis.del(row.cacheKey);
  await station.get(row, session);
  await station.put(row, { version: (row.version ?? 2) - 1, body: null });
  await expectNewer(station, 'a value of a lower version with the body null', row, session);
}

async function expectNewer(
  station: Station,
  label: string,
  row: Row,
  session: string,
): Promise<void> {
  const { answer, asked, commands } = await station.get(row, session);
  // A value that was kept: neither the cache nor a coordinator was looked into.
  const rule = commands.length + asked.length === 0 ? 'RP9' : 'RP8';
  if (!isRow(answer, row))
    station.broken(rule, `${label}: the coordinator’s row was answered as ${said(answer)}`);
  else if (!asked.some((request) => minVersionIn(request) >= (row.version ?? 2)))
    station.broken(
      rule,
      `${label}: the coordinator was not asked with minVersion ${row.version}, and an entry has less`,
    );
}

/** Another session has seen nothing: what one has seen does not leak, and makes the other no slower. */
async function apart(station: Station): Promise<void> {
  const row = await rewrittenRow(station);
  await station.put(row, { version: row.version ?? 2, body: row.value });
  await station.get(row, newSession(station));
  const marked = await station.putMarked(row, { version: (row.version ?? 2) - 1 });
  const { answer, asked, commands } = await station.get(row, newSession(station));
  if (asked.length > 0)
    station.broken('reads', 'a session that has seen nothing asked the coordinator for a value');
  else if (!isRow(answer, marked))
    station.broken(
      // A value that was kept: the cache was not looked into.
      commands.length === 0 ? 'RP9' : 'RP8',
      `a session that has seen nothing: answered ${said(answer)}`,
    );
}

const newSession = (station: Station): string => `s${station.servers.newId()}`;

/** The greatest `minVersion` that a request has, in its query or in an operation of a batch. */
function minVersionIn({ path, body }: SeenRequest): number {
  const query = new URL(path, 'http://coordinator').searchParams.get('minVersion');
  const inBody = [...body.matchAll(/"minVersion"\s*:\s*(\d+)/g)].map(([, digits]) =>
    Number(digits),
  );
  return Math.max(Number(query ?? 0), ...inBody);
}
