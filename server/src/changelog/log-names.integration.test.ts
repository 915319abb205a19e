import { afterAll, describe, expect, it } from 'vitest';
import type { Database } from '../database/index.ts';
import { openDatabase } from '../dialects/index.ts';
import { silentLog } from '@lockstep/testkit/database/open-test-database';
import { systemRuntime } from '../runtime/index.ts';
import { installedClients, startPostgres } from '@lockstep/testkit/servers';
import { changeLogFaults, createChangeSource, logNames } from './index.ts';
import { openWorld, until } from './testing/world.ts';

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

const OWN = { slot: null, serverId: null };
const SHARED_NAME = { slot: 'lockstep', serverId: null };
const runtime = systemRuntime(silentLog);

describe.each(installedClients())('two databases of one %s server', (client) => {
  it('C1: are both followed at the same time, each by names of its own', async () => {
    const worlds = await Promise.all([openWorld(client), openWorld(client)]);
    closing.push(...worlds.map((world) => () => world.close()));
    const logs = worlds.map((world) => world.follow());
    await until(() => logs.every((log) => log.report().state === 'streaming'), 'both streaming');
    for (const round of ['first', 'second']) {
      for (const world of worlds) {
        const key = world.key('plain', 1);
        await world.put(key, `before the ${round}`);
        await world.cached(key);
        await world.database.execute(`update plains set owner = '${round}' where id = 1`);
        await until(async () => (await world.owner(key)) === round, `${round} change told`);
      }
    }
    // If one had ended the other's stream, that one would have begun again.
    expect(logs.map((log) => [log.report().state, log.report().detail])).toEqual([
      ['streaming', null],
      ['streaming', null],
    ]);
    const names = await Promise.all(worlds.map(({ database }) => logNames(database.sql, OWN)));
    const again = await Promise.all(worlds.map(({ database }) => logNames(database.sql, OWN)));
    expect(again).toEqual(names);
    const [one, other] = names.map(({ slot, serverId }) => (client === 'pg' ? slot : serverId));
    expect(one).not.toBe(other);
  });
});

describe('on a PostgreSQL with the slot that earlier versions gave to every database', () => {
  const open = (connection: string): Database => {
    const database = openDatabase({
      ...{ client: 'pg', connection, runtime },
      pool: { min: 0, max: 3 },
      statementTimeoutMs: 5_000,
      acquireTimeoutMs: 5_000,
    });
    closing.push(() => database.close());
    return database;
  };

  it('the database that has it keeps it, and another one is refused it and leaves its user alone', async () => {
    const server = await startPostgres();
    closing.push(() => server.stop());
    const first = open(server.url);
    await first.sql.run({ pg: 'create database second', mysql2: '' });
    const second = open(new URL('/second', server.url).href);
    const own = await logNames(first.sql, OWN);
    expect(own.slot).toMatch(/^lockstep_[0-9]+$/);
    const stop = new AbortController();
    const source = createChangeSource({
      ...{ sql: first.sql, connection: server.url, resources: new Map(), runtime },
      ...{ slot: 'lockstep', serverId: 0, publication: 'lockstep' },
    });
    await first.sql.run({ pg: 'create publication lockstep', mysql2: '' });
    const { position } = await source.open(null, null);
    expect((await logNames(first.sql, OWN)).slot).toBe('lockstep');
    expect((await logNames(second.sql, OWN)).slot).toMatch(/^lockstep_[0-9]+$/);

    const nothing = (): void => undefined;
    const streaming = source.stream(
      position,
      {
        ...{ row: nothing, room: () => null, begin: nothing, mark: nothing, lost: nothing },
        ...{ commit: nothing, caughtUp: nothing },
      },
      stop.signal,
    );
    const reader = async (): Promise<string | null> => {
      const active = "select active_pid from pg_replication_slots where slot_name = 'lockstep'";
      return (await first.sql.run({ pg: active })).rows[0]?.active_pid ?? null;
    };
    await until(async () => (await reader()) !== null, 'the stream');
    const pid = await reader();
    const named = { ...(await logNames(second.sql, SHARED_NAME)), publication: 'lockstep' };
    const connection = new URL('/second', server.url).href;
    const faults = await changeLogFaults(second.sql, { ...named, connection }, []);
    expect(faults.map(({ message }) => message)).toEqual([
      expect.stringMatching(/slot lockstep belongs to something else; allowed: .*own/),
    ]);
    const other = createChangeSource({
      ...{ sql: second.sql, connection, resources: new Map(), runtime },
      ...named,
    });
    await expect(other.open(null, null)).rejects.toThrow(/belongs to something else/);
    expect(await reader()).toBe(pid);
    stop.abort();
    await streaming;
  });
});
