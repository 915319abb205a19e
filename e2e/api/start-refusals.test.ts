import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findFreePort } from '../../server/src/embedded/free-port.ts';
import {
  isPgBouncerInstalled,
  startPgBouncer,
  startRedis,
  type TestServer,
} from '@lockstep/testkit/servers';
import { runCli } from '../support/cli.ts';
import { type ExternalServers, startExternalServers } from '../support/external-servers.ts';
import { startInstance } from '@lockstep/testkit/instances/instance';

let servers: ExternalServers;
let replica: TestServer;
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-refusals-'));
  servers = await startExternalServers('pg');
  const main = new URL(servers.cache.url);
  const admin = new Redis(servers.cache.url);
  const own = ['on', `>${new URL(servers.cache.url).password}`, 'allchannels', '+@all'];
  await admin.call('acl', 'setuser', 'few', ...own, 'allkeys', '-scan');
  await admin.call('acl', 'setuser', 'elsewhere', ...own, '~lockstep:*');
  admin.disconnect();
  replica = await startRedis({
    args: ['--replicaof', main.hostname, main.port, '--masterauth', main.password],
  });
});
afterAll(async () => {
  await replica.stop();
  await servers.stop();
  rmSync(folder, { recursive: true, force: true });
});

function withUser(url: string, user: string): string {
  const changed = new URL(url);
  changed.username = user;
  return changed.href;
}

/** The faults that a command ends with, where it ends with 1. `check` prints warnings beside them. */
async function refusal(command: 'check' | 'start', changes: object): Promise<string[]> {
  const path = join(folder, `${command}.json`);
  writeFileSync(path, JSON.stringify({ ...servers.config, ...changes }));
  const own = ['--config', path, '--data-dir', join(folder, 'data')];
  const more = command === 'start' ? ['--port', '0', '--no-demo'] : [];
  const { code, stdout, stderr } = await runCli([command, ...own, ...more]);
  expect({ code, output: stdout + stderr }).toMatchObject({ code: 1 });
  // The log of a start is JSON, with the warnings in it; what is printed for people is not.
  return (stdout + stderr).split('\n').filter((line) => !/^(\{|warning: |$)/.test(line));
}

const locksOf = ({ config }: ExternalServers): string[] =>
  (config as { locks: { nodes: string[] } }).locks.nodes;

describe('start', () => {
  test.each<[string, () => object, RegExp]>([
    [
      'a cache that is a replica',
      () => ({ cache: { url: replica.url } }),
      /^cache\.url: is a replica; allowed: a master$/,
    ],
    [
      'a cache user who lacks a command',
      () => ({ cache: { url: withUser(servers.cache.url, 'few') } }),
      /^cache\.url: does not let this user use scan \(NOPERM, of the command\); allowed: .*lockstep grants/,
    ],
    [
      'a cache user who lacks the keys of a template',
      () => ({ cache: { url: withUser(servers.cache.url, 'elsewhere') } }),
      /^cache\.url: does not let this user use keys that begin with account: /,
    ],
    [
      'one server named as two lock nodes',
      () => {
        const [first = '', ...rest] = locksOf(servers);
        return { locks: { nodes: [first, ...rest, first.replace('127.0.0.1', 'localhost')] } };
      },
      /^locks\.nodes\.3: is the same server as locks\.nodes\.0/,
    ],
    [
      'a database that is not there',
      () => ({ database: { connection: servers.connection.replace(/\w+$/, 'nothing_here') } }),
      /^database\.connection: has no such database/,
    ],
    [
      'an external database, where cache and locks were left out',
      () => ({ cache: {}, locks: {} }),
      /^cache: is left out beside an external database/,
    ],
  ])('refuses %s with the lines of check', async (_name, changes, first) => {
    const lines = await refusal('check', changes());
    expect(lines[0]).toMatch(first);
    expect(await refusal('start', changes())).toEqual(lines);
  });

  test.skipIf(!isPgBouncerInstalled())(
    'refuses a change log that would be followed through a pooler, with the line of check',
    async () => {
      const pooler = await startPgBouncer({
        databaseUrl: servers.connection,
        poolMode: 'session',
      });
      try {
        const database = { client: 'pg', connection: pooler.url };
        const changes = { database, changeLog: { mode: 'on' } };
        const lines = await refusal('check', changes);
        expect(lines[0]).toMatch(
          /^changeLog: .*carries no replication.*allowed: changeLog.connection/,
        );
        expect(await refusal('start', changes)).toEqual(lines);
      } finally {
        await pooler.stop();
      }
    },
  );

  test('waits for a server that is not up yet, and serves when it comes', async () => {
    const cache = await startRedis();
    await cache.kill();
    const config = { ...servers.config, cache: { url: cache.url } };
    try {
      const starting = startInstance({ config });
      await cache.restart();
      const instance = await starting;
      expect(instance.isRunning).toBe(true);
      await instance.dispose();
    } finally {
      await cache.stop();
    }
  });

  test('gives up after a bounded wait, and says what it was waiting for', async () => {
    const url = `redis://127.0.0.1:${await findFreePort()}`;
    expect(await refusal('start', { cache: { url } })).toEqual([
      expect.stringMatching(/^cache\.url: does not answer: the connection is refused/),
    ]);
  });
});
