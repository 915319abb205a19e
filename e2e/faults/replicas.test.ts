import { afterAll, describe, expect, test } from 'vitest';
import type { Answer } from '../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import {
  RECOVERY,
  replicated,
  ReplicatedServers,
  untilReplicaIsRead,
} from '../support/replicated-servers.ts';
import { useInstance } from '../support/shared-instance.ts';
import { newId } from '../support/shop.ts';

const servers = new ReplicatedServers();
// Registered before the instances', so that it runs after them.
afterAll(() => servers.stop());

/** Two coordinators. */
const here = useInstance(() => servers.world());
const there = useInstance(() => servers.world());
const nameOf = ({ body }: Answer): unknown => body.value?.['name'];

async function expectEverywhere(id: number, name: string): Promise<void> {
  for (const { api } of [here, there, here, there]) {
    const answer = await api.get('profile', id);
    expect(nameOf(answer), JSON.stringify(answer.body)).toBe(name);
    expect(answer.body.source).not.toBe('replica');
  }
  const entry = await here.behind.entry(`profile:${id}`);
  if (entry?.state === 'value') expect(entry.row).toMatchObject({ name });
}

describe('a standby whose replay is paused (G1, G2)', () => {
  test('never answers or fills an older value than an acknowledged write', async () => {
    const id = await replicated('old', here.api, there.api);
    await servers.whilePaused(async () => {
      const written = await here.api.patch('profile', id, { name: 'new' });
      expect(written.body).toMatchObject({ version: 2, cache: 'invalidated' });
      const first = await there.api.get('profile', id);
      expect(first.body).toMatchObject({ source: 'primary', version: 2, value: { name: 'new' } });
      await expectEverywhere(id, 'new');
    });
  });

  test('nor one older than a change by another program that was announced', async () => {
    const id = await replicated('old', here.api, there.api);
    await servers.whilePaused(async () => {
      await here.behind.sql("UPDATE profiles SET name = 'changed' WHERE id = ?", [id]);
      await here.api.post('/v1/invalidations', { keys: [{ resource: 'profile', key: id }] });
      expect((await there.api.get('profile', id)).body.source).toBe('primary');
      await expectEverywhere(id, 'changed');
    });
  });

  test('nor once the cache has lost every tombstone', async () => {
    const id = await replicated('old', here.api, there.api);
    await servers.whilePaused(async () => {
      await here.api.patch('profile', id, { name: 'new' });
      await servers.external.cache.kill();
      await servers.external.cache.restart();
      await here.behind.cache.flushall();
      await eventually(async () => {
        expect((await there.api.get('profile', id)).body.source).toBe('cache');
      }, RECOVERY);
      await expectEverywhere(id, 'new');
    });
  });

  test('is read again when it has caught up', async () => {
    await servers.whilePaused(async () => {
      await here.api.put('profile', newId(), { name: 'more' });
    });
    await untilReplicaIsRead(here.api, there.api);
  });
});

describe('a replica that is killed (G3)', () => {
  test('fails no read, and leaves the instance ready; it is read again when it is back', async () => {
    const id = await replicated('kept', here.api, there.api);
    await servers.replica.server.kill();
    for (const { api } of [here, there, here, there]) {
      const other = newId();
      expectProblem(await api.get('profile', other), 'NOT_FOUND');
      expect(nameOf(await api.get('profile', id))).toBe('kept');
    }
    await eventually(async () => {
      const ready = await here.anonymous.call('GET', '/readyz?verbose');
      expect(ready.status).toBe(200);
      const { checks } = JSON.parse(ready.text) as { checks: object[] };
      expect(checks).toContainEqual(
        expect.objectContaining({ name: 'replica 1', ok: false, required: false }),
      );
    }, RECOVERY);
    await servers.replica.server.restart();
    await untilReplicaIsRead(here.api, there.api);
    const metrics = await here.anonymous.call('GET', '/metrics');
    expect(metrics.text).toMatch(/lockstep_replica_lag_seconds\{replica="replica 1"\} \d/);
    expect(metrics.text).toMatch(/lockstep_reads_total\{[^}]*source="replica"/);
    expect(metrics.text).toMatch(/lockstep_replica_reads_total\{[^}]*result="behind"/);
  });

  test('or frozen delays one read by at most a second, and no later ones', async () => {
    await untilReplicaIsRead(here.api, there.api);
    servers.replica.server.pause();
    try {
      const startedAt = performance.now();
      expectProblem(await there.api.get('profile', newId()), 'NOT_FOUND');
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      await eventually(async () => {
        const again = performance.now();
        expectProblem(await there.api.get('profile', newId()), 'NOT_FOUND');
        expect(performance.now() - again).toBeLessThan(500);
      }, RECOVERY);
    } finally {
      servers.replica.server.resume();
    }
    await untilReplicaIsRead(here.api, there.api);
  });
});

describe('other crashes, with replay paused (G1)', () => {
  test('a coordinator killed between commit and tombstone: the relay leaves one, with a position', async () => {
    const id = await replicated('old', here.api, there.api);
    await there.api.get('profile', id);
    await servers.whilePaused(async () => {
      servers.external.cache.pause();
      try {
        const writing = here.api.patch('profile', id, { name: 'new' }).catch(() => null);
        await eventually(async () => {
          const rows = await there.behind.sql('SELECT name FROM profiles WHERE id = ?', [id]);
          expect(rows).toEqual([{ name: 'new' }]);
        }, RECOVERY);
        await here.instance.kill();
        await writing;
      } finally {
        servers.external.cache.resume();
      }
      await eventually(async () => {
        expect(await there.behind.sql('SELECT id FROM lockstep_outbox')).toEqual([]);
      }, RECOVERY);
      expect(nameOf(await there.api.get('profile', id))).toBe('new');
      const entry = await there.behind.entry(`profile:${id}`);
      expect(entry).toMatchObject({ state: 'value', row: { name: 'new' } });
      await here.instance.start();
      await here.reconnect();
      await expectEverywhere(id, 'new');
    });
  });

  test('the primary killed: reads see what it acknowledged when it is back', async () => {
    const id = await replicated('old', here.api, there.api);
    await servers.whilePaused(async () => {
      await here.api.patch('profile', id, { name: 'new' });
      await servers.external.database.kill();
      // With the primary away nobody can say how far a replica must be: no old row instead of an error.
      const meanwhile = await there.api.get('profile', id);
      if (meanwhile.status === 200) expect(nameOf(meanwhile)).toBe('new');
      else expectProblem(meanwhile, 'DATABASE_UNAVAILABLE');
      await servers.external.database.restart();
      await eventually(async () => {
        expect((await there.api.get('profile', id)).status).toBe(200);
      }, RECOVERY);
      await expectEverywhere(id, 'new');
    });
    await untilReplicaIsRead(here.api, there.api);
  });
});
