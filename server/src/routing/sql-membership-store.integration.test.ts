import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { installedClients } from '@lockstep/testkit/servers';
import type { Member, MembershipStore, OwnRow } from './port.ts';
import { createMembershipStore } from './sql-membership-store.ts';

const EXPIRY_MS = 60_000;
const names = (members: readonly Member[]): string[] =>
  members.map(({ instance }) => instance).sort();

describe.each(installedClients())('membership store on %s', (client) => {
  let database: TestDatabase;
  let store: MembershipStore;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    store = createMembershipStore(database);
  });
  afterAll(() => database?.drop());
  beforeEach(() => database.execute('delete from lockstep_members'));

  const beat = (instance: string, changes: Partial<OwnRow> = {}): Promise<Member[]> =>
    store.beat({
      ...{ instance, url: `http://${instance}.test:7400`, expiryMs: EXPIRY_MS, isLeaving: false },
      ...changes,
    });
  /** As if so much time had passed since the member's last heartbeat. */
  const age = (instance: string, seconds: number): Promise<void> =>
    database.execute(
      `update lockstep_members set seen_at = seen_at - interval ${client === 'pg' ? `'${seconds} seconds'` : `${seconds} second`} where instance = '${instance}'`,
    );

  it('answers a heartbeat with everybody, itself among them (H4)', async () => {
    expect(await beat('one')).toEqual([
      {
        instance: 'one',
        url: 'http://one.test:7400',
        isSelf: true,
        isLeaving: false,
        seenAgoMs: expect.any(Number) as number,
        upMs: expect.any(Number) as number,
      },
    ]);
    const [one, two] = (await beat('two')).sort((a, b) => (a.instance < b.instance ? -1 : 1));
    expect(one).toMatchObject({ instance: 'one', isSelf: false, url: 'http://one.test:7400' });
    expect(two).toMatchObject({ instance: 'two', isSelf: true });
    expect(one?.seenAgoMs).toBeLessThan(EXPIRY_MS);
    expect(two?.seenAgoMs).toBeLessThan(EXPIRY_MS);
  });

  it('holds a member for gone after the time that it has named itself, by its own clock (H4)', async () => {
    await beat('short', { expiryMs: 5_000 });
    await beat('long', { expiryMs: 20_000 });
    await age('short', 4);
    await age('long', 19);
    expect(names(await beat('me'))).toEqual(['long', 'me', 'short']);
    await age('short', 2);
    expect(names(await beat('me'))).toEqual(['long', 'me']);
    await age('long', 2);
    expect(names(await beat('me'))).toEqual(['me']);
  });

  it('holds a row from before its clock was set back for no member (H4)', async () => {
    await beat('dead', { expiryMs: 5_000 });
    await age('dead', -60);
    expect(names(await beat('me'))).toEqual(['me']);
  });

  it('has a member back with its next heartbeat, up since it joined', async () => {
    await beat('one');
    await age('one', 120);
    await database.execute(
      `update lockstep_members set started_at = started_at - interval ${client === 'pg' ? "'1 hour'" : '1 hour'}`,
    );
    expect(names(await beat('two'))).toEqual(['two']);
    const [own] = (await beat('one')).filter(({ isSelf }) => isSelf);
    expect(own?.upMs).toBeGreaterThanOrEqual(3_600_000);
    expect(own?.upMs).toBeLessThan(3_660_000);
    expect(names(await beat('two'))).toEqual(['one', 'two']);
  });

  it('tells who is leaving and where a member is now', async () => {
    await beat('one');
    await beat('one', { url: 'http://elsewhere.test:1', isLeaving: true });
    const seen = (await beat('two')).find(({ instance }) => instance === 'one');
    expect(seen).toMatchObject({ url: 'http://elsewhere.test:1', isLeaving: true });
  });

  it('tells instances apart by case', async () => {
    await beat('one');
    await beat('ONE');
    expect(names(await beat('One'))).toEqual(['ONE', 'One', 'one']);
  });

  it('forgets who was removed, and says nothing where nobody was', async () => {
    await beat('one');
    await store.remove('one');
    await store.remove('one');
    expect(names(await beat('two'))).toEqual(['two']);
  });

  it('prunes only rows of members that have been dead for long', async () => {
    await beat('dead');
    await beat('resting');
    await beat('live');
    await age('dead', 3_600 + 61);
    await age('resting', 3_600);
    await store.prune();
    await age('dead', -3_660);
    await age('resting', -3_600);
    expect(names(await beat('me'))).toEqual(['live', 'me', 'resting']);
  });

  it('refuses with DATABASE_UNAVAILABLE where the database is away', async () => {
    const other = await openTestDatabase(client);
    await other.close();
    const beating = createMembershipStore(other).beat({
      ...{ instance: 'one', url: 'http://one.test', expiryMs: EXPIRY_MS, isLeaving: false },
    });
    await expect(beating).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await other.drop().catch(() => undefined); // its connections are closed already
  });
});
