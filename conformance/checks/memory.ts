import { isRow, said, type Station } from '../station.ts';
import { atWarmStation, type Check } from './check.ts';

/** What was read answers no later call. */
export const memory: Check = {
  rules: ['RP9'],
  run: (options) =>
    atWarmStation(options, async (station) => {
      await changedEntry(station);
      await goneEntry(station);
      await writtenRow(station);
      await laterCall(station);
    }),
};

async function changedEntry(station: Station): Promise<void> {
  const row = await station.row('account', { note: 'in the database' });
  await station.put(row, { version: 1, body: row.value });
  await station.get(row);
  const marked = await station.putMarked(row, { version: 2 });
  const { answer } = await station.get(row);
  if (!isRow(answer, marked))
    station.broken('RP9', `an entry that had changed was answered as ${said(answer)}`);
}

async function goneEntry(station: Station): Promise<void> {
  const row = await station.row('account', { note: 'in the database' });
  await station.putMarked(row);
  await station.get(row);
  await station.servers.redis.del(row.cacheKey);
  const { answer } = await station.get(row);
  if (!isRow(answer, row))
    station.broken('RP9', `an entry that was gone was answered as ${said(answer)}`);
}

/** Answers of a coordinator are kept no more than entries. */
async function writtenRow(station: Station): Promise<void> {
  for (const resource of ['account', 'profile'] as const) {
    const row = await station.row(resource, { note: 'first' });
    await station.servers.redis.del(row.cacheKey);
    await station.get(row);
    const later = await station.row(resource, { note: 'second' }, row.key);
    const { answer } = await station.get(later);
    // Anything else that is wrong comes from the entry that the write has left.
    if (isRow(answer, row))
      station.broken('RP9', `a row that had been written since was answered as ${said(answer)}`);
    else if (!isRow(answer, later))
      station.broken(
        'RP3',
        `after a write of ${resource}, its row was answered as ${said(answer)}`,
      );
  }
  const none = { resource: 'account' as const, key: [station.servers.newId()] };
  await station.get(none);
  const row = await station.row('account', { note: 'new' }, none.key);
  const { answer } = await station.get(row);
  if (!isRow(answer, row))
    station.broken('RP9', `a row that is there now was answered as ${said(answer)}`);
}

/** How long a reader has to get a call, and to ask the cache for it. */
const SECOND_CALL_MS = 300;

/** A call that is made after the cache was asked must not share the reply with the one before. */
async function laterCall(station: Station): Promise<void> {
  const row = await station.row('account', { note: 'in the database' });
  await station.putMarked(row, { version: 1 });
  const sent = station.cache.commands.length;
  station.cache.hold('replies');
  const first = station.reader.get(row);
  await station.within(5_000, () => Promise.resolve(station.cache.commands.length > sent));
  // The server has answered the first: commands are carried out in their order.
  await station.servers.redis.ping();
  const { value } = await station.putMarked(row, { version: 2 });
  const askedBefore = station.cache.commands.length;
  const second = station.reader.get(row);
  // A reader that shares replies asks for nothing: it has only to have got the call before the reply comes.
  await station.within(SECOND_CALL_MS, () =>
    Promise.resolve(station.cache.commands.length > askedBefore),
  );
  station.cache.letGo();
  await first;
  const answer = await second;
  // The coordinator may have been asked, where the reply came late.
  if (!isRow(answer, { value, version: 2 }) && !isRow(answer, row))
    station.broken('RP9', `a call made after an entry had changed was answered as ${said(answer)}`);
}
