import { afterAll, describe, expect, test } from 'vitest';
import { startStandby, type TestReplica } from '../../server/src/testing/standby.ts';
import type { Answer, ApiClient } from '../support/api-client.ts';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { eventually } from '../support/poll.ts';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { newId } from '../support/shop.ts';

/** Two coordinators on one primary with a hot standby, one cache and the same lock nodes. */
let servers: ExternalServers | undefined;
let standby: TestReplica | undefined;
// Registered before the instances', so that it runs after them.
afterAll(async () => {
  await standby?.server.stop();
  await servers?.stop();
});

async function world(): Promise<{ config: object }> {
  servers ??= await startExternalServers('pg');
  standby ??= await startStandby(servers.database);
  const { connection } = servers;
  const replicas = [standby.server.url];
  const database = { client: 'pg', connection, replicas, pool: { min: 0, max: 8 } };
  return { config: { ...servers.config, database } };
}

const here = useInstance(world);
const there = useInstance(world);
const RECOVERY = { withinMs: 20_000, everyMs: 50 };

const external = (): ExternalServers => given(servers);
const replica = (): TestReplica => given(standby);

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The servers have not been started');
  return value;
}

const nameOf = ({ body }: Answer): unknown => body.value?.['name'];
const withToken = (token: string | undefined) => ({
  headers: { 'Lockstep-Token': token ?? 'none was given' },
});

/** Both coordinators answer a miss from the replica. */
async function untilReplicaIsRead(): Promise<void> {
  for (const { api } of [here, there]) {
    await eventually(async () => {
      const id = newId();
      await api.put('profile', id, { name: 'x' });
      await api.post('/v1/invalidations', { keys: [{ resource: 'profile', key: id }] });
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect((await api.get('profile', id)).body).toMatchObject({ source: 'replica', version: 1 });
    }, RECOVERY);
  }
}

/** A row that is in the standby with this name, and cached nowhere. */
async function replicated(name: string): Promise<number> {
  const id = newId();
  await here.api.put('profile', id, { name });
  await here.api.get('profile', id);
  await untilReplicaIsRead();
  return id;
}

async function whilePaused(work: () => Promise<void>): Promise<void> {
  await replica().pauseReplay();
  try {
    await work();
  } finally {
    await replica().resumeReplay();
  }
}

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
  test('never answers or fills what is older than an acknowledged write', async () => {
    const id = await replicated('old');
    await whilePaused(async () => {
      const written = await here.api.patch('profile', id, { name: 'new' });
      expect(written.body).toMatchObject({ version: 2, cache: 'invalidated' });
      const first = await there.api.get('profile', id);
      expect(first.body).toMatchObject({ source: 'primary', version: 2, value: { name: 'new' } });
      await expectEverywhere(id, 'new');
    });
  });

  test('nor older than a change behind its back that was named', async () => {
    const id = await replicated('old');
    await whilePaused(async () => {
      await here.behind.sql("UPDATE profiles SET name = 'changed' WHERE id = ?", [id]);
      await here.api.post('/v1/invalidations', { keys: [{ resource: 'profile', key: id }] });
      expect((await there.api.get('profile', id)).body.source).toBe('primary');
      await expectEverywhere(id, 'changed');
    });
  });

  test('nor after the cache has forgotten every tombstone', async () => {
    const id = await replicated('old');
    await whilePaused(async () => {
      await here.api.patch('profile', id, { name: 'new' });
      await external().cache.kill();
      await external().cache.restart();
      await here.behind.cache.flushall();
      await eventually(async () => {
        expect((await there.api.get('profile', id)).body.source).toBe('cache');
      }, RECOVERY);
      await expectEverywhere(id, 'new');
    });
  });

  test('is read again when it has caught up', async () => {
    await whilePaused(async () => {
      await here.api.put('profile', newId(), { name: 'more' });
    });
    await untilReplicaIsRead();
  });
});

describe('a replica that is killed (G3)', () => {
  test('costs no read, and leaves the instance ready; it is read again when it is back', async () => {
    const id = await replicated('kept');
    await replica().server.kill();
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
    await replica().server.restart();
    await untilReplicaIsRead();
    const metrics = await here.anonymous.call('GET', '/metrics');
    expect(metrics.text).toMatch(/lockstep_replica_lag_seconds\{replica="replica 1"\} \d/);
    expect(metrics.text).toMatch(/lockstep_reads_total\{[^}]*source="replica"/);
    expect(metrics.text).toMatch(/lockstep_replica_reads_total\{[^}]*result="behind"/);
  });

  test('or frozen delays a read by a second at the most, and then none', async () => {
    await untilReplicaIsRead();
    replica().server.pause();
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
      replica().server.resume();
    }
    await untilReplicaIsRead();
  });
});

describe('other crashes, with replay paused (G1)', () => {
  test('a coordinator killed between commit and tombstone: the relay leaves one, with a position', async () => {
    const id = await replicated('old');
    await there.api.get('profile', id);
    await whilePaused(async () => {
      external().cache.pause();
      try {
        const writing = here.api.patch('profile', id, { name: 'new' }).catch(() => null);
        await eventually(async () => {
          const rows = await there.behind.sql('SELECT name FROM profiles WHERE id = ?', [id]);
          expect(rows).toEqual([{ name: 'new' }]);
        }, RECOVERY);
        await here.instance.kill();
        await writing;
      } finally {
        external().cache.resume();
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

  test('the primary killed: what it acknowledged is what is read when it is back', async () => {
    const id = await replicated('old');
    await whilePaused(async () => {
      await here.api.patch('profile', id, { name: 'new' });
      await external().database.kill();
      // With the primary away nobody can say how far a replica must be: no old row instead of an error.
      const meanwhile = await there.api.get('profile', id);
      if (meanwhile.status === 200) expect(nameOf(meanwhile)).toBe('new');
      else expectProblem(meanwhile, 'DATABASE_UNAVAILABLE');
      await external().database.restart();
      await eventually(async () => {
        expect((await there.api.get('profile', id)).status).toBe(200);
      }, RECOVERY);
      await expectEverywhere(id, 'new');
    });
    await untilReplicaIsRead();
  });
});

describe('a token (G4)', () => {
  test('of a write makes every coordinator answer it, in body and header', async () => {
    const id = newId();
    await whilePaused(async () => {
      const written = await here.api.put('profile', id, { name: 'mine' });
      const { token } = written.body;
      expect(written.headers['lockstep-token']).toBe(token);
      for (const answer of [
        await there.api.get('profile', id, `?token=${token}`),
        await there.api.get('profile', id, '', withToken(token)),
      ]) {
        expect(nameOf(answer)).toBe('mine');
        expect(answer.headers['lockstep-token']).toBe(answer.body.token);
      }
    });
  });

  test('overrules a cached value that is older than what was seen, and refreshes it for all', async () => {
    const id = await replicated('old');
    await here.api.get('profile', id);
    await here.behind.sql("UPDATE profiles SET name = 'seen' WHERE id = ?", [id]);
    const seen = await here.api.get('profile', id, '?consistency=primary');
    expect(nameOf(seen)).toBe('seen');
    expect(nameOf(await there.api.get('profile', id))).toBe('old');
    const again = await there.api.get('profile', id, '', withToken(seen.body.token));
    expect(nameOf(again)).toBe('seen');
    expect(nameOf(await there.api.get('profile', id))).toBe('seen');
    const fromCache = await here.api.get('profile', id, '', withToken(again.body.token));
    expect(fromCache.body).toMatchObject({ source: 'cache', value: { name: 'seen' } });
  });

  test('covers other keys too: whoever saw the last write of several sees the first', async () => {
    const [first, last] = [await replicated('a0'), await replicated('b0')];
    await here.api.get('profile', first);
    await whilePaused(async () => {
      await here.behind.sql("UPDATE profiles SET name = 'a1' WHERE id = ?", [first]);
      const written = await here.api.patch('profile', last, { name: 'b1' });
      const answer = await there.api.get('profile', first, '', withToken(written.body.token));
      expect(nameOf(answer)).toBe('a1');
    });
  });

  test('never lets a session go backwards, over both coordinators, with replay paused and resumed', async () => {
    const id = newId();
    await here.api.put('profile', id, { name: 'counted', visits: 0 });
    let visits = 0;
    let isDone = false;
    const session = async (apis: readonly ApiClient[]): Promise<number[]> => {
      const seen: number[] = [];
      let token: string | undefined;
      for (let step = 0; !isDone; step += 1) {
        const api = apis[step % apis.length] ?? here.api;
        const options = token === undefined ? {} : withToken(token);
        const query = step % 5 === 4 ? '?consistency=primary' : '';
        const answer = await api.get('profile', id, query, options);
        expect(answer.status, answer.text).toBe(200);
        seen.push(Number(answer.body.value?.['visits']));
        token = answer.body.token;
      }
      return seen;
    };
    const sessions = [
      session([here.api, there.api]),
      session([there.api, here.api]),
      session([there.api]),
    ];
    for (let round = 0; round < 6; round += 1) {
      if (round % 2 === 0) await replica().pauseReplay();
      else await replica().resumeReplay();
      for (let write = 0; write < 15; write += 1) {
        visits += 1;
        const change = 'UPDATE profiles SET visits = visits + 1 WHERE id = ?';
        if (write % 3 === 0) await here.behind.sql(change, [id]);
        else await here.api.patch('profile', id, { $inc: { visits: 1 } });
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
    }
    isDone = true;
    for (const seen of await Promise.all(sessions)) {
      expect(seen.length).toBeGreaterThan(20);
      expect(seen).toEqual([...seen].sort((one, other) => one - other));
      expect(seen.at(-1)).toBeLessThanOrEqual(visits);
    }
  });

  test('comes with the answer that there is no row, and with a transaction', async () => {
    const absent = await here.api.get('profile', newId());
    expectProblem(absent, 'NOT_FOUND');
    expect(absent.headers['lockstep-token']).toBe(absent.body.token);
    const id = newId();
    const operations = [{ op: 'put', resource: 'profile', key: id, value: { name: 'both' } }];
    const done = await here.api.post('/v1/transactions', { operations });
    const answer = await there.api.get('profile', id, '', withToken(done.body.token));
    expect(nameOf(answer)).toBe('both');
  });

  test('that is none is refused, and so is one of what the database never had', async () => {
    const forged = (text: string): string => Buffer.from(text).toString('base64url');
    const id = newId();
    await here.api.put('profile', id, { name: 'x' });
    for (const token of ['!', 'nonsense', forged('1|x|y'), forged('2||'), forged('1|5|5|k.1')]) {
      expectProblem(await here.api.get('profile', id, '', withToken(token)), 'INVALID');
    }
    const ahead = forged('1||9999999999999999');
    const answer = await here.api.get('profile', id, '', withToken(ahead));
    expectProblem(answer, 'INVALID');
    expect(answer.body.errors).toEqual([
      { path: 'token', message: expect.stringContaining('has not come to') as string },
    ]);
  });
});
