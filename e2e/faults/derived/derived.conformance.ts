import { beforeEach, describe, expect, test } from 'vitest';
import type { JsonObject } from '@lockstep/shared';
import type { Answer } from '../../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import { signalTree } from '@lockstep/testkit/processes/process-tree';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId, type SqlClient } from '../../support/shop.ts';
import { newTeam, RECOVERY, Teams, untilWell, valueOf } from './derived-shop.ts';

/** What the answer to a write of each policy says about its own entry. */
const WRITERS = {
  plain: 'invalidated',
  double: 'invalidated',
  strict: 'fresh',
  uncached: 'invalidated',
  refreshed: 'pending',
} as const;

/** Derived entries over HTTP. */
export function describeDerived(bed: TestBed, client: SqlClient): void {
  const teams = new Teams(bed);
  beforeEach(() => untilWell(bed));

  describe('an answer of a query', () => {
    test('is a list of rows without a version, cached, and empty where there are none (D1)', async () => {
      const team = newTeam();
      const first = await bed.api.get('team', team);
      expect(first).toMatchObject({ status: 200, body: { source: 'primary', version: null } });
      expect(valueOf(first)).toEqual([]);
      expect(await teams.cached(team)).toEqual([]);
      const id = await teams.insert(team, 'Ada');
      await teams.current([team]);
      expect(valueOf(await bed.api.get('team', team))).toEqual([{ id, name: 'Ada' }]);
      const primary = await bed.api.get('team', team, '?consistency=primary');
      expect(primary.body).toMatchObject({ source: 'primary', version: null, key: team });
    });

    test('has an entity tag made from its content, the same from every source, and never that of a row (D10)', async () => {
      const team = newTeam();
      const path = `/v1/resources/team/${encodeURIComponent(team)}`;
      const known = async (etag: unknown, query = ''): Promise<number> => {
        const headers = { 'if-none-match': String(etag) };
        return (await bed.api.call('GET', path + query, { headers })).status;
      };
      const empty = (await bed.api.get('team', team)).headers.etag;
      expect(empty).toMatch(/^"q\./);
      expect([await known(empty), await known(empty, '?consistency=primary')]).toEqual([304, 304]);
      const id = await teams.insert(team, 'Ada');
      await teams.current([team]);
      const one = (await bed.api.get('team', team)).headers.etag;
      expect(one).not.toBe(empty);
      expect([await known(empty), await known(one)]).toEqual([200, 304]);
      const headers = { 'if-match': String(one), 'content-type': 'application/json' };
      const rawBody = '{"name":"Eve"}';
      const refused = await bed.api.call('PATCH', `/v1/resources/plain/${id}`, {
        headers,
        rawBody,
      });
      expect(refused.status).toBeGreaterThanOrEqual(400);
      expect(await teams.read(team)).toMatchObject({ names: ['Ada'] });
    });

    test('is none where the entry holds no list of rows, which then is replaced (K3)', async () => {
      const team = newTeam();
      const id = await teams.insert(team, 'Ada');
      await teams.current([team]);
      const [header = ''] = ((await bed.behind.cache.get(`team:${team}`)) ?? '').split('\n');
      for (const body of ['{}', '{"rows":null}', '{"rows":{"id":1}}', '{"value":[]}']) {
        await bed.behind.cache.set(`team:${team}`, `${header}\n${body}`, 'PX', 60_000);
        expect(valueOf(await bed.api.get('team', team))).toEqual([{ id, name: 'Ada' }]);
        await teams.current([team]);
        expect(await bed.behind.cache.get(`team:${team}`)).toContain('Ada');
      }
    });

    test('of a query with the policy none runs the query each time (D1)', async () => {
      const team = newTeam();
      await teams.insert(team, 'Ada');
      for (const _ of [1, 2]) {
        expect(await teams.read(team, 'team-uncached')).toEqual({
          names: ['Ada'],
          source: 'primary',
        });
      }
    });

    test('is never written, leased or part of a transaction (D2)', async () => {
      const team = newTeam();
      const key = { resource: 'team', key: team };
      const refused: Answer[] = [
        await bed.api.put('team', team, { rows: [] }),
        await bed.api.patch('team', team, { rows: [] }),
        await bed.api.delete('team', team),
        await bed.api.post('/v1/leases', { ...key, ttl: '1s' }),
        await bed.api.post('/v1/transactions', {
          operations: [
            { op: 'put', resource: 'plain', key: newId(), value: { team, name: 'x' } },
            { op: 'put', ...key, value: { rows: [] } },
          ],
        }),
      ];
      for (const answer of refused) {
        expectProblem(answer, 'INVALID');
        expect(answer.text).toContain('is a query; write its tables (members)');
      }
      expectProblem(await bed.api.get('team', team, '?minVersion=1'), 'INVALID');
      expect(await teams.stored(team)).toEqual([]);
    });

    test('of more rows than maxRows is an error with a code (D2)', async () => {
      const team = newTeam();
      for (let row = 0; row < 51; row += 1) await teams.insert(team, `n${row}`);
      expectProblem(await bed.api.get('team', team), 'TOO_LARGE');
    });

    test('runs the query once for many concurrent misses (D7)', async () => {
      const team = newTeam();
      await teams.insert(team, 'Ada');
      const reads = Array.from({ length: 20 }, () => teams.read(team, 'team-slowly'));
      let most = 0;
      let isOver = false;
      const watch = eventually(async () => {
        most = Math.max(most, await runningQueries());
        expect(isOver).toBe(true);
      }, RECOVERY);
      for (const { names } of await Promise.all(reads)) expect(names).toEqual(['Ada']);
      isOver = true;
      await watch;
      expect(most).toBe(1);
    });

    test('that was read before a write is not cached after it (D5)', async () => {
      const team = newTeam();
      const id = newId();
      await bed.api.put('plain', id, { team, name: 'old' });
      const slow = teams.read(team, 'team-slowly');
      await eventually(async () => expect(await runningQueries()).toBe(1), {
        withinMs: 5_000,
        everyMs: 10,
      });
      const written = await bed.api.patch('plain', id, { name: 'new' });
      expect(written.body).toMatchObject({ cache: 'invalidated' });
      expect((await slow).names).toEqual(['old']);
      expect((await teams.read(team, 'team-slowly')).names).toEqual(['new']);
      expect(await teams.cached(team, 'team-slowly')).toEqual(['new']);
    });

    test('can be invalidated by its key (D5)', async () => {
      const team = newTeam();
      await teams.cached(team);
      const told = await bed.api.post('/v1/invalidations', {
        keys: [{ resource: 'team', key: team }],
      });
      expect([200, 202], told.text).toContain(told.status);
      expect((await teams.read(team)).source).toBe('primary');
    });
  });

  describe('a write through Lockstep', () => {
    const write = async (resource: string, body: JsonObject, id: number): Promise<Answer> =>
      bed.api.put(resource, id, body);

    for (const [resource, cache] of Object.entries(WRITERS)) {
      test(`of a ${resource} row invalidates the answers that held it before and that hold it now (D4)`, async () => {
        const [from, to] = [newTeam(), newTeam()];
        const id = newId();
        const expectNow = async (answer: Answer, inFrom: string[], inTo: string[]) => {
          expect([200, 201, 204], answer.text).toContain(answer.status);
          // Straight after the answer: nothing older may be served any more.
          expect((await teams.read(from)).names).toEqual(inFrom);
          expect((await teams.read(to)).names).toEqual(inTo);
          expect(await teams.cached(from)).toEqual(inFrom);
          expect(await teams.cached(to)).toEqual(inTo);
        };
        await teams.cached(from);
        await teams.cached(to);
        const put = await write(resource, { team: from, name: 'a' }, id);
        expect(put.body.cache).toBe(cache);
        await expectNow(put, ['a'], []);
        await expectNow(await bed.api.patch(resource, id, { name: 'b' }), ['b'], []);
        await expectNow(await bed.api.patch(resource, id, { team: to }), [], ['b']);
        const batch = await bed.api.post('/v1/batch', {
          operations: [{ op: 'patch', resource, key: id, value: { team: from } }],
        });
        await expectNow(batch, ['b'], []);
        const transaction = await bed.api.post('/v1/transactions', {
          operations: [{ op: 'patch', resource, key: id, value: { team: to, name: 'c' } }],
        });
        await expectNow(transaction, [], ['c']);
        const granted = await bed.api.post('/v1/leases', { resource, key: id, ttl: '5s' });
        const { id: lease } = JSON.parse(granted.text) as { id: string };
        const leased = await bed.api.patch(
          resource,
          id,
          { team: from },
          { 'lockstep-lease': lease },
        );
        await expectNow(leased, ['c'], []);
        await bed.api.call('DELETE', `/v1/leases/${encodeURIComponent(lease)}`);
        await expectNow(await bed.api.delete(resource, id), [], []);
      });
    }

    test('with the policy change-log leaves invalidation to the log, and so does a query with it (D4)', async () => {
      const [from, to] = [newTeam(), newTeam()];
      const id = newId();
      for (const team of [from, to]) {
        await teams.cached(team);
        await teams.cached(team, 'team-by-log');
      }
      for (const [resource, body] of [
        ['logged', { team: from, name: 'a' }],
        ['logged', { team: to, name: 'a' }],
        ['plain', { team: from, name: 'b' }],
      ] as const) {
        await write(resource, body, id);
        await teams.current([from, to]);
        await teams.current([from, to], 'team-by-log');
      }
    });

    test(
      'is not lost if the coordinator is killed between its commit and the invalidation (D5)',
      { timeout: 120_000 },
      async () => {
        const region = `region ${newId()}`;
        const answered = async (): Promise<object> => {
          const answer = await bed.api.get('stock', region);
          return { value: valueOf(answer), source: answer.body.source };
        };
        const becomes = (stock: number): Promise<void> =>
          eventually(
            async () =>
              expect(await answered()).toEqual({ value: [{ sku: 'a', stock }], source: 'cache' }),
            RECOVERY,
          );
        await bed.api.put('part', [region, 'a'], { stock: 1 });
        await becomes(1);
        // Nothing can be invalidated while the cache is held.
        const paused = await pauseCache();
        const written = await bed.api.patch('part', [region, 'a'], { stock: 2 });
        expect(written.body).toMatchObject({ outcome: 'applied', cache: 'pending' });
        await bed.instance.kill();
        paused.resume();
        await bed.instance.start();
        await bed.reconnect();
        await becomes(2);
      },
    );
  });

  /** How many of the slow queries run in the database now. */
  async function runningQueries(): Promise<number> {
    const [row] = await bed.behind.sql(
      client === 'pg'
        ? "SELECT count(*) AS running FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%as pause%' AND pid <> pg_backend_pid()"
        : "SELECT count(*) AS running FROM information_schema.processlist WHERE command <> 'Sleep' AND info LIKE '%as pause%' AND id <> connection_id()",
    );
    return Number(row?.running);
  }

  /** Holds the cache up, as a stopped process does. */
  async function pauseCache(): Promise<{ resume: () => void }> {
    const info = await bed.behind.cache.info('server');
    const pid = Number(/process_id:(\d+)/.exec(info)?.[1]);
    signalTree(pid, 'SIGSTOP');
    return { resume: () => signalTree(pid, 'SIGCONT') };
  }
}
