import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { signalTree } from '@lockstep/testkit/processes/process-tree';
import { buildProgram, type TestProgram } from '@lockstep/testkit/processes/program';
import { readRuntimeFile } from './runtime-file.ts';
import {
  ended,
  firstLine,
  getBoth,
  killed,
  LOCK_TTL_MS,
  processOf,
  setBoth,
  stopped,
  TestDataDir,
} from './testing/embedded-data-dir.ts';

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

describe('embedded servers', () => {
  it('start, keep their data over an orderly stop, and use the same ports again', async () => {
    const first = await dir.start();
    expect(first.firstStart).toBe(true);
    await setBoth(first.info, 5);
    const stopBegan = performance.now();
    expect(await stopped(first.coordinator)).toBe(0);
    expect(performance.now() - stopBegan).toBeLessThan(30_000);
    expect(dir.processes()).toEqual([]);
    expect(await readRuntimeFile(dir.path)).toBeUndefined();

    const restartBegan = performance.now();
    const second = await dir.start();
    expect(performance.now() - restartBegan).toBeLessThan(30_000);
    expect(second.firstStart).toBe(false);
    expect(await getBoth(second.info)).toEqual([5, '5']);
    expect(second.info.databaseUrl).toBe(first.info.databaseUrl);
    expect(second.info.cacheUrl).toBe(first.info.cacheUrl);
    expect(second.info.lockUrls).toEqual(first.info.lockUrls);
    expect(second.info.processes.map(({ name }) => name).sort()).toEqual([
      ...['cache', 'lock-1', 'lock-2', 'lock-3', 'postgres'],
    ]);
  });

  it('ask for a password, keep it out of command lines, and let only the owner read it', async () => {
    const { info } = await dir.start();
    const secrets = [info.databaseUrl, info.cacheUrl, ...info.lockUrls].map(
      (url) => new URL(url).password,
    );
    for (const { commandLine } of dir.processes()) {
      for (const secret of secrets) expect(commandLine).not.toContain(secret);
    }
    const bare = new Redis(info.cacheUrl.replace(/:[^:@]+@/, ''), { lazyConnect: true });
    bare.on('error', () => undefined);
    await expect(bare.get('x')).rejects.toThrow('NOAUTH');
    bare.disconnect();
    for (const name of ['runtime.json', 'servers.json', 'cache/redis.conf', 'lock-1/redis.conf']) {
      expect((await stat(join(dir.path, name))).mode & 0o777).toBe(0o600);
    }
    const cache = new Redis(info.cacheUrl);
    const [, policy] = await cache.config('GET', 'maxmemory-policy');
    cache.disconnect();
    expect(policy).toMatch(/^(volatile-|noeviction)/);
  });

  it('refuse a second coordinator in the same folder, naming the first one', async () => {
    const { coordinator } = await dir.start();
    const second = dir.spawn();
    expect(await ended(second.child)).not.toBe(0);
    expect(second.errors()).toContain(`in use by process ${coordinator.pid}`);
  });

  it('let exactly one of several simultaneous coordinators in', async () => {
    const rivals = Array.from({ length: 3 }, () => dir.spawn());
    const outcomes = await Promise.all(
      rivals.map(({ child }) =>
        Promise.race([firstLine(child).then(() => 'up'), ended(child).then(() => 'refused')]).catch(
          () => 'refused',
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'up').length).toBe(1);
  });
});

describe('after SIGKILL', () => {
  it('of the coordinator, the next start takes over from live orphans and loses nothing', async () => {
    const { coordinator, info } = await dir.start();
    await setBoth(info, 7);
    await killed(coordinator);
    expect(dir.processes().length).toBeGreaterThan(5);
    expect(await readRuntimeFile(dir.path)).toBeUndefined();
    const began = performance.now();
    const second = await dir.start();
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(second.firstStart).toBe(false);
    expect(await getBoth(second.info)).toEqual([7, '7']);
    expect(second.info.cacheUrl).toBe(info.cacheUrl);
  });

  it('of the coordinator, with its orphans paused, the next start ends them', async () => {
    const { coordinator, info } = await dir.start();
    await setBoth(info, 8);
    const orphans = dir.processes();
    for (const { pid } of info.processes) signalTree(pid, 'SIGSTOP');
    await killed(coordinator);
    const { info: next } = await dir.start();
    expect(await getBoth(next)).toEqual([8, '8']);
    const survivors = dir.processes().map(({ pid }) => pid);
    for (const { pid } of orphans) expect(survivors).not.toContain(pid);
  });

  it('of everything at once, nothing that was acknowledged is lost', async () => {
    let { coordinator, info } = await dir.start();
    for (let round = 1; round <= 3; round++) {
      await setBoth(info, round);
      coordinator.kill('SIGKILL');
      for (const { pid } of info.processes) signalTree(pid, 'SIGKILL');
      await killed(coordinator);
      ({ coordinator, info } = await dir.start());
      expect(await getBoth(info)).toEqual([round, `${round}`]);
    }
  });

  it('of the postmaster alone with its children paused, the next start frees the data folder', async () => {
    const { coordinator, info } = await dir.start();
    const postmaster = processOf(info, 'postgres').pid;
    const children = dir
      .processes()
      .filter(({ commandLine }) => commandLine.startsWith('postgres: '));
    expect(children.length).toBeGreaterThan(2);
    for (const { pid } of children) signalTree(pid, 'SIGSTOP');
    coordinator.kill('SIGKILL');
    process.kill(postmaster, 'SIGKILL');
    await killed(coordinator);
    const { info: next } = await dir.start();
    expect(await getBoth(next)).toEqual([0, null]);
  });

  it('during the very first start, the next one begins anew', async () => {
    for (const delayMs of [100, 400, 900]) {
      const { child } = dir.spawn();
      await sleep(delayMs); // the moment of the kill
      await killed(child);
    }
    const { info } = await dir.start();
    expect(await getBoth(info)).toEqual([0, null]);
    const left = (await readdir(dir.path)).filter((name) => /init-|draft/.test(name));
    expect(left).toEqual([]);
  });
});

describe('while the coordinator runs', () => {
  it.each(['postgres', 'cache', 'lock-2'])(
    'a killed %s comes back on its port with its data',
    async (name) => {
      const { info } = await dir.start();
      await setBoth(info, 3);
      const { pid, port } = processOf(info, name);
      const killedAt = performance.now();
      process.kill(pid, 'SIGKILL');
      const next = await vi.waitFor(
        async () => {
          const found = processOf(await dir.info(), name);
          expect(found.pid).not.toBe(pid);
          return found;
        },
        { timeout: 60_000, interval: 50 },
      );
      expect(next.port).toBe(port);
      // A lock node must not come back before every lock that it granted has expired.
      expect(performance.now() - killedAt).toBeGreaterThan(name === 'lock-2' ? LOCK_TTL_MS : 2_900);
      await vi.waitFor(async () => expect(await getBoth(info)).toEqual([3, '3']), {
        timeout: 60_000,
      });
    },
  );

  it('a paused server does not hinder an orderly stop', async () => {
    const { coordinator, info } = await dir.start();
    for (const { pid } of info.processes) signalTree(pid, 'SIGSTOP');
    const began = performance.now();
    expect(await stopped(coordinator)).toBe(0);
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(dir.processes()).toEqual([]);
  });
});
