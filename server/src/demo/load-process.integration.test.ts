import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemRuntime } from '../runtime/index.ts';
import { buildProgram, type TestProgram } from '@lockstep/testkit/processes/program';
import { startDemoLoad, type DemoLoad } from './index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);

let program: TestProgram;
let server: Server;
let url: string;
let seen: IncomingMessage[];
let load: DemoLoad | null = null;

beforeAll(async () => {
  program = await buildProgram(join(import.meta.dirname, 'load.program.ts'));
});
afterAll(() => program.remove());

beforeEach(async () => {
  seen = [];
  server = createServer((request, response) => {
    seen.push(request);
    request.resume();
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await load?.stop();
  load = null;
  server.closeAllConnections();
  server.close();
});

async function until(isTrue: () => boolean, limitMs = 60_000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Process ids of the load's connections' other ends are not to be had; the program's file name is. */
async function loadPids(): Promise<number[]> {
  const listed = spawn('pgrep', ['-f', program.file], { stdio: ['ignore', 'pipe', 'ignore'] });
  return (await text(listed.stdout)).split('\n').filter(Boolean).map(Number);
}

describe('the load as a process', () => {
  it('calls the API with the service token, and is gone after stop', async () => {
    load = startDemoLoad({ program: program.file, url, token: 'service-1', runtime });
    await until(() => seen.length > 100);
    expect(seen.every(({ headers }) => headers.authorization === 'Bearer service-1')).toBe(true);
    expect(seen.every((request) => request.url?.startsWith('/v1/resources/') === true)).toBe(true);
    const pids = await loadPids();
    expect(pids).toHaveLength(1);
    await load.stop();
    expect(pids.some(isRunning)).toBe(false);
  });

  it('is started again when it ends by itself', async () => {
    load = startDemoLoad({ program: program.file, url, token: 'service-1', runtime });
    await until(() => seen.length > 0);
    const [pid] = await loadPids();
    process.kill(pid ?? 0, 'SIGKILL');
    await until(() => !isRunning(pid ?? 0));
    const before = seen.length;
    await until(() => seen.length > before + 100);
  });

  it('ends when its coordinator is killed', async () => {
    const script = `
      const child = require('node:child_process').fork(${JSON.stringify(program.file)}, []);
      child.send({ url: ${JSON.stringify(url)}, token: 't', operationsPerSecond: 100 });
      process.stdout.write(String(child.pid));`;
    const parent = spawn(process.execPath, ['-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [printed] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(printed.toString());
    await until(() => seen.length > 0);
    parent.kill('SIGKILL');
    await until(() => !isRunning(pid));
  });
});
