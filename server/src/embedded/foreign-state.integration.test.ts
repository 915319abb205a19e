import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ended,
  getBoth,
  killed,
  processOf,
  setBoth,
  stopped,
  TestDataDir,
} from './testing/embedded-data-dir.ts';
import { signalTree } from '@lockstep/testkit/processes/process-tree';
import { buildProgram, type TestProgram } from '@lockstep/testkit/processes/program';

// Each test starts five servers, some of them several times, beside other tests.
vi.setConfig({ testTimeout: 90_000 });

let program: TestProgram;
let dir: TestDataDir;

beforeAll(async () => {
  program = await buildProgram(join(import.meta.dirname, 'coordinator.program.ts'));
});
afterAll(() => program.remove());

beforeEach(async () => {
  dir = await TestDataDir.make(program);
});
afterEach(() => dir.remove());

describe('damaged or foreign state', () => {
  it('a crash of the machine empties the cache and keeps the database', async () => {
    const { coordinator, info } = await dir.start();
    await setBoth(info, 4);
    await killed(coordinator);
    const path = join(dir.path, 'servers.json');
    const state = JSON.parse(await readFile(path, 'utf8')) as { bootId: string };
    await writeFile(path, JSON.stringify({ ...state, bootId: 'an earlier run of the machine' }));
    const { info: next } = await dir.start();
    expect(await getBoth(next)).toEqual([4, null]);
  });

  it('unreadable state files are made anew, with passwords that the database takes and an empty cache', async () => {
    const { coordinator, info } = await dir.start();
    await setBoth(info, 6);
    await stopped(coordinator);
    await writeFile(join(dir.path, 'servers.json'), '{"bootId":"');
    await writeFile(join(dir.path, 'runtime.json'), '{"url');
    const { info: next } = await dir.start();
    expect(next.databaseUrl).not.toBe(info.databaseUrl);
    expect(await getBoth(next)).toEqual([6, null]);
  });

  it('an append-only file that Redis refuses is set aside', async () => {
    const { coordinator, info } = await dir.start();
    await setBoth(info, 9);
    await stopped(coordinator);
    const folder = join(dir.path, 'cache', 'appendonlydir');
    for (const name of await readdir(folder)) {
      if (name.endsWith('.aof'))
        await writeFile(join(folder, name), 'this is not a log\r\nat all\r\n');
    }
    const { info: next } = await dir.start();
    expect(await getBoth(next)).toEqual([9, null]);
    expect(await readdir(dir.path)).toContain('cache.unreadable');
  });

  it('a process id in postmaster.pid that went to another program does not stop the start', async () => {
    const { coordinator, info } = await dir.start();
    await setBoth(info, 2);
    for (const { pid } of info.processes) signalTree(pid, 'SIGKILL');
    await killed(coordinator);
    const path = join(dir.path, 'postgres', 'postmaster.pid');
    const uid = (await stat(join(dir.path, 'postgres'))).uid;
    // It runs as the same account, because otherwise PostgreSQL itself sees that the process is not its own.
    const other = spawn('sleep', ['60'], { stdio: 'ignore', ...(uid === 0 ? {} : { uid }) });
    dir.endLater(other);
    await once(other, 'spawn');
    const lines = (await readFile(path, 'utf8')).split('\n');
    await writeFile(path, [other.pid, ...lines.slice(1)].join('\n'));
    const { info: next } = await dir.start();
    expect(await getBoth(next)).toEqual([2, '2']);
    expect(other.exitCode).toBeNull();
  });

  it('a claim of a process whose id went to another program is taken over', async () => {
    const { coordinator } = await dir.start();
    await stopped(coordinator);
    const stale = { pid: process.pid, identity: 'a process that started at another time' };
    await writeFile(join(dir.path, 'claims', `${process.pid}-old.json`), JSON.stringify(stale));
    await dir.start();
  });

  it('a taken port is replaced', async () => {
    const { coordinator, info } = await dir.start();
    await stopped(coordinator);
    const port = processOf(info, 'cache').port;
    const squatter = spawn('redis-server', ['--port', String(port), '--save', ''], {
      stdio: 'ignore',
    });
    dir.endLater(squatter);
    await vi.waitFor(async () => {
      const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null });
      client.on('error', () => undefined);
      await client.ping().finally(() => client.disconnect());
    });
    const { info: next } = await dir.start();
    expect(processOf(next, 'cache').port).not.toBe(port);
    expect(processOf(next, 'postgres').port).toBe(processOf(info, 'postgres').port);
  });

  it('a moved data folder starts with its data', async () => {
    const { coordinator, info } = await dir.start();
    await setBoth(info, 11);
    await stopped(coordinator);
    const moved = `${dir.path}moved`;
    await rename(dir.path, moved);
    dir.path = moved;
    const { info: next } = await dir.start();
    expect(await getBoth(next)).toEqual([11, '11']);
  });

  it('a schema that the database refuses stops the start, leaves nothing, and may be corrected', async () => {
    const wrong = dir.spawn('create table half (id int);\ncreate tabel kept (id int);');
    expect(await ended(wrong.child)).not.toBe(0);
    expect(wrong.errors()).toContain('database.initSql was refused (line 2)');
    expect(dir.processes()).toEqual([]);
    const { firstStart, info } = await dir.start();
    expect(firstStart).toBe(true);
    expect(await getBoth(info)).toEqual([0, null]);
  });
});
