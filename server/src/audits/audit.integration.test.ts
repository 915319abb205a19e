import { encodeEntry, type Row } from '@lockstep/shared';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keyFromText, type Resource } from '../domain/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import { openRealWorld, type RealWorld } from './testing/real-world.ts';

const NO_DRIFT = { stale: 0, orphan: 0, 'negative-stale': 0, corrupt: 0, 'no-ttl': 0 };

describe.each(installedClients())('audits of real servers, on %s', (client) => {
  let world: RealWorld;

  beforeAll(async () => {
    world = await openRealWorld(client);
  });
  afterAll(() => world?.close());
  beforeEach(() => world.empty());

  /** Puts rows through the engine and reads them, so that each has a value in the cache. */
  async function fill(resource: Resource, ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      const key = keyFromText(resource, String(id));
      const set: Row = { owner: `owner ${id}`, balance: '100' };
      await world.writes.write({ key, change: { op: 'put', set, onlyCreate: false } });
      await world.reads.read(key);
    }
  }

  /** Drift of each class behind Lockstep's back, on the keys 1 to 6; two are stale: in the database and in the cache. */
  async function makeDrift({ name, table }: Resource): Promise<void> {
    const { behind, execute } = world;
    await execute(`update ${table} set balance = 777 where id = 1`);
    await execute(`delete from ${table} where id = 2`);
    const head = { state: 'value', version: 1, fence: 0, writtenAtMs: 1 } as const;
    await behind.set(`${name}:3`, encodeEntry({ ...head, row: null }), 'PX', 60_000);
    await behind.set(`${name}:4`, 'not an entry', 'PX', 60_000);
    await behind.persist(`${name}:5`);
    const row = { id: 6, owner: 'nobody', balance: '1' };
    await behind.set(`${name}:6`, encodeEntry({ ...head, row }), 'PX', 60_000);
  }

  const same = async (resource: Resource, id: number): Promise<void> => {
    const key = keyFromText(resource, String(id));
    const read = await world.reads.read(key);
    expect(read.row).toEqual((await world.database.rows.read(key)).row);
  };

  describe.each(['account', 'note'] as const)('%s', (name) => {
    it('finds and repairs each class of drift and leaves the rest alone', async () => {
      const resource = world[name];
      const ids = Array.from({ length: 30 }, (_, index) => index + 1);
      await fill(resource, ids);
      const untouched = await world.behind.get(`${name}:20`);
      await makeDrift(resource);
      const report = await world.audits.run(resource, { trigger: 'demand' });
      expect(report).toMatchObject({
        resource: name,
        sampled: 30,
        drift: { stale: 2, orphan: 1, 'negative-stale': 1, corrupt: 1, 'no-ttl': 1 },
        repaired: 6,
        failed: 0,
      });
      for (const id of ids) await same(resource, id);
      expect(await world.behind.get(`${name}:20`)).toBe(untouched);
      expect(await world.behind.pttl(`${name}:5`)).toBeGreaterThan(0);

      const { findings } = await world.audits.findings({ run: report.runId, limit: 100 });
      expect(findings.map(({ status }) => status)).toEqual(Array(6).fill('repaired'));
      const stale = findings.find(({ key }) => key === '1');
      expect(stale).toMatchObject({
        class: 'stale',
        database: { row: { balance: 777 } },
        cache: { row: { balance: 100 } },
      });
      expect(await world.audits.run(resource, { trigger: 'demand' })).toMatchObject({
        drift: NO_DRIFT,
      });
      expect(await world.audits.runs({ resource: name, limit: 10 })).toMatchObject([
        { status: 'done', sampled: 30, drift: NO_DRIFT },
        { status: 'done', repaired: 6 },
      ]);
    });

    it('heals a list under an entry key', async () => {
      const resource = world[name];
      await fill(resource, [7]);
      await world.behind.del(`${name}:7`);
      await world.behind.rpush(`${name}:7`, 'x');
      const report = await world.audits.run(resource, { trigger: 'demand' });
      expect(report).toMatchObject({ drift: { corrupt: 1 }, repaired: 1 });
      await same(resource, 7);
    });

    it('reports no drift of keys that are written all the time (X4)', async () => {
      const resource = world[name];
      await fill(resource, [1]);
      const key = keyFromText(resource, '1');
      const stop = new AbortController();
      const writer = async (): Promise<void> => {
        while (!stop.signal.aborted) {
          const increment = { balance: '1' };
          await world.writes.write({ key, change: { op: 'patch', set: {}, increment } });
          await world.reads.read(key);
        }
      };
      const writers = [writer(), writer(), writer()];
      try {
        for (let run = 0; run < 3; run += 1) {
          const report = await world.audits.run(resource, { trigger: 'demand' });
          expect(report.drift).toEqual(NO_DRIFT);
        }
      } finally {
        stop.abort();
        await Promise.all(writers);
      }
    });
  });

  it('repairs a finding that was only reported', async () => {
    await fill(world.note, [8]);
    await world.execute('update notes set balance = 5 where id = 8');
    await world.audits.run(world.note, { trigger: 'demand', repair: 'report' });
    const { findings } = await world.audits.findings({ status: 'open', limit: 10 });
    expect(findings).toMatchObject([{ key: '8', class: 'stale' }]);
    const repaired = await world.audits.repairFinding(findings[0]?.id ?? '', 'delete');
    expect(repaired).toMatchObject({ status: 'repaired', repair: { rule: 'delete' } });
    await same(world.note, 8);
  });

  it('fails a run while the cache is away, and works again when it is back', async () => {
    await fill(world.note, [1]);
    await world.cacheServer.kill();
    await expect(world.audits.run(world.note, { trigger: 'demand' })).rejects.toMatchObject({
      code: 'CACHE_UNAVAILABLE',
    });
    expect(await world.audits.runs({ resource: 'note', limit: 1 })).toMatchObject([
      { status: 'failed', drift: NO_DRIFT },
    ]);
    await world.cacheServer.restart();
    await until(async () => world.entries.available && (await world.behind.ping()) === 'PONG');
    expect(await world.audits.run(world.note, { trigger: 'demand' })).toMatchObject({
      drift: NO_DRIFT,
    });
  });

  it('recovers intents that a crash left, and finishes the outbox, once sweeper and relay run (W5, X1)', async () => {
    const { entries, database, relay, sweeper, behind } = world;
    await fill(world.account, [9, 10]);
    await fill(world.note, [9]);
    const left = keyFromText(world.account, '9');
    await entries.placeIntent(left.cacheKey, 'left', 0);
    // A writer that died between its commit and its tombstone.
    const orphaned = keyFromText(world.note, '9');
    const change = { op: 'patch', set: { balance: '555' }, increment: {} } as const;
    await database.rows.write({ key: orphaned, change, outbox: true });
    relay.start();
    sweeper.start();
    await until(async () => (await behind.get(left.cacheKey))?.startsWith('{"s":"value"') === true);
    await until(async () => (await world.outbox.depth()).depth === 0);
    await same(world.account, 9);
    await same(world.note, 9);
    expect((await world.reads.read(orphaned)).row?.balance).toBe(555);
    await until(() => Promise.resolve(sweeper.ttl().sweep !== null));
    const [accounts] = sweeper.ttl().resources;
    expect(accounts?.entries.value).toBeGreaterThan(0);
    expect(accounts?.withoutTtl).toBe(0);
    await Promise.all([relay.stop(), sweeper.stop()]);
  });
});

/** Polls until it holds. @throws Error after 20 s */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadlineMs) throw new Error('did not happen in time');
    await sleep(20);
  }
}
