import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeKey } from '../domain/index.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { createTables, type TestResources } from '@lockstep/testkit/database/tables';
import { installedClients } from '@lockstep/testkit/servers';
import { createOutboxStore } from './outbox-store.ts';
import type { OutboxRow, OutboxStore, OutboxDecision } from './port.ts';

describe.each(installedClients())('the outbox on %s', (client) => {
  let database: TestDatabase;
  let resources: TestResources;
  let outbox: OutboxStore;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    resources = await createTables(database);
    outbox = createOutboxStore(database);
  });
  afterAll(() => database?.drop());
  beforeEach(async () => {
    for (const table of ['accounts', 'lockstep_keys', 'lockstep_outbox', 'lockstep_dead_letters']) {
      await database.execute(`delete from ${table}`);
    }
  });

  /** Writes the accounts and returns the ids of their outbox rows. */
  async function writeAccounts(count: number): Promise<string[]> {
    const ids: string[] = [];
    for (let id = 1; id <= count; id++) {
      const key = makeKey(resources.owned, [String(id)]);
      const set = { owner: `o${id}` };
      const result = await database.rows.write({
        key,
        change: { op: 'put', set, onlyCreate: false },
        outbox: true,
      });
      if (result.status === 'applied' && result.outboxId !== null) ids.push(result.outboxId);
    }
    return ids;
  }

  const done = (rows: OutboxRow[]): OutboxDecision[] =>
    rows.map(({ id }) => ({ id, decision: 'done' }));
  const retry =
    (delayMs: number, counted = true) =>
    (rows: OutboxRow[]): OutboxDecision[] =>
      rows.map(({ id }) => ({ id, decision: 'retry', delayMs, counted, error: 'cache away' }));
  const dead = (rows: OutboxRow[]): OutboxDecision[] =>
    rows.map(({ id }) => ({ id, decision: 'dead', error: 'never again' }));

  /** Takes and returns all due rows. */
  async function take(
    decide: (rows: OutboxRow[]) => OutboxDecision[],
    limit = 100,
    graceMs = 0,
  ): Promise<OutboxRow[]> {
    let taken: OutboxRow[] = [];
    await outbox.take(limit, graceMs, (rows) => {
      taken = rows;
      return Promise.resolve(decide(rows));
    });
    return taken;
  }

  it('says what writes of one row have left, from a version on, and whether a step was given up', async () => {
    const [first, second] = await writeAccounts(2);
    const ofRow = (keyText: string, fromVersion: number) =>
      outbox.leftOf({ resource: 'owned', keyText, fromVersion }, 10);
    const left = await ofRow('1', 1);
    expect(left.rows.map(({ id }) => id)).toEqual([first]);
    expect(left).toMatchObject({
      rows: [{ related: { before: null, after: { owner: 'o1' } } }],
      hasDeadLetters: false,
    });
    expect(await ofRow('1', 2)).toEqual({ rows: [], hasDeadLetters: false });
    await outbox.remove([second ?? '']);
    expect((await ofRow('2', 1)).rows).toEqual([]);
    await take(dead);
    expect(await ofRow('1', 1)).toEqual({ rows: [], hasDeadLetters: true });
  });

  it('hands out what a write has left, oldest first, and removes what is done', async () => {
    const ids = await writeAccounts(3);
    const rows = await take(done, 2);
    expect(rows.map((row) => row.id)).toEqual(ids.slice(0, 2));
    expect(rows[0]).toMatchObject({
      resource: 'owned',
      keyText: '1',
      version: 1,
      bareCacheKey: null,
      related: { before: null, after: { owner: 'o1' } },
      attempts: 0,
    });
    expect(rows[0]?.ageMs).toBeLessThan(60_000);
    expect(await outbox.depth()).toMatchObject({ depth: 1, deadLetters: 0 });
    expect((await take(done)).map((row) => row.id)).toEqual(ids.slice(2));
    expect(await outbox.depth()).toEqual({ depth: 0, oldestMs: null, deadLetters: 0 });
  });

  it('leaves young rows to their writer', async () => {
    const ids = await writeAccounts(1);
    expect(await take(done, 100, 60_000)).toEqual([]);
    expect((await outbox.depth()).depth).toBe(1);
    await outbox.remove(ids);
    expect((await outbox.depth()).depth).toBe(0);
  });

  it('never hands a row to two relays at once', async () => {
    const ids = await writeAccounts(20);
    const seen: string[] = [];
    const relay = async (): Promise<void> => {
      while ((await outbox.depth()).depth > 0) {
        await outbox.take(3, 0, (rows) => {
          seen.push(...rows.map((row) => row.id));
          return Promise.resolve(done(rows));
        });
      }
    };
    await Promise.all([relay(), relay(), relay()]);
    expect([...seen].sort()).toEqual([...ids].sort());
  });

  it('gives the rows of a relay that fails on the way back (W5)', async () => {
    const ids = await writeAccounts(2);
    const crash = outbox.take(10, 0, () => Promise.reject(new Error('crash')));
    await expect(crash).rejects.toThrow('crash');
    expect((await take(done)).map((row) => row.id)).toEqual(ids);
  });

  it('does not wait for a relay when a writer removes its rows', async () => {
    const ids = await writeAccounts(2);
    await outbox.take(1, 0, async (rows) => {
      await outbox.remove(ids);
      expect((await outbox.depth()).depth).toBe(1);
      return done(rows);
    });
    expect((await outbox.depth()).depth).toBe(0);
  });

  it('tries again after the delay, and counts only what is to be counted', async () => {
    await writeAccounts(1);
    await take(retry(0, false));
    expect((await take(retry(0)))[0]?.attempts).toBe(0);
    expect((await take(retry(60_000)))[0]?.attempts).toBe(1);
    expect(await take(done)).toEqual([]);
    expect((await outbox.depth()).depth).toBe(1);
  });

  it('leaves rows without a decision, and decisions without a row', async () => {
    await writeAccounts(2);
    await take((rows) => [...done(rows.slice(0, 1)), { id: '999999', decision: 'done' }]);
    expect((await outbox.depth()).depth).toBe(1);
  });

  it('buries what is given up, and lets an operator retry or discard it', async () => {
    await writeAccounts(2);
    await take(dead);
    const letters = await outbox.deadLetters(10);
    expect(letters).toHaveLength(2);
    expect(letters[0]).toMatchObject({
      resource: 'owned',
      key: '2',
      version: 1,
      attempts: 0,
      error: 'never again',
    });
    expect(Math.abs(Date.now() - (letters[0]?.createdAtMs ?? 0))).toBeLessThan(60_000);
    expect(await outbox.depth()).toMatchObject({ depth: 0, deadLetters: 2 });
    const [second = { id: '' }, first = { id: '' }] = letters;
    expect(await outbox.retryDeadLetter(first.id)).toBe(true);
    expect(await outbox.retryDeadLetter(first.id)).toBe(false);
    expect(await outbox.discardDeadLetter(second.id)).toBe(true);
    expect(await outbox.discardDeadLetter('no number')).toBe(false);
    expect((await take(done))[0]).toMatchObject({
      keyText: '1',
      related: { after: { owner: 'o1' } },
    });
    expect(await outbox.depth()).toMatchObject({ depth: 0, deadLetters: 0 });
  });

  it('takes invalidations that were asked for', async () => {
    await outbox.append([{ resource: 'owned', keyText: 'ü%2C,7' }, { cacheKey: 'owner:"x"' }]);
    await outbox.append([]);
    expect(await take(done)).toMatchObject([
      { resource: 'owned', keyText: 'ü%2C,7', version: null, bareCacheKey: null },
      { resource: '', keyText: '', version: null, bareCacheKey: 'owner:"x"' },
    ]);
  });
});
