import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import pg from 'pg';
import { expect, vi } from 'vitest';
import { signalTree } from '@lockstep/testkit/processes/process-tree';
import type { TestProgram } from '@lockstep/testkit/processes/program';
import { postgresOwnership } from '../postgres-server.ts';
import { listProcesses, type ListedProcess } from '../processes.ts';
import { readRuntimeFile, type RuntimeInfo } from '../runtime-file.ts';

/** A coordinator that is up. */
export interface Started {
  coordinator: ChildProcess;
  firstStart: boolean;
  info: RuntimeInfo;
}

export const LOCK_TTL_MS = 1_500;
const INIT_SQL = 'create table kept (id int primary key, n int); insert into kept values (1, 0);';

/** One data folder of a test, and the coordinators and servers that live off it. */
export class TestDataDir {
  readonly #program: TestProgram;
  readonly #children: ChildProcess[] = [];
  path: string;

  constructor(program: TestProgram, path: string) {
    this.#program = program;
    this.path = path;
  }

  static async make(program: TestProgram): Promise<TestDataDir> {
    // Made for its owner only, as temporary folders are: PostgreSQL's account must get through all the same.
    return new TestDataDir(program, await mkdtemp(join(tmpdir(), 'lockstep embedded ')));
  }

  /** Ends everything that belongs to the folder, and removes it. */
  async remove(): Promise<void> {
    for (const child of this.#children.splice(0)) await killed(child);
    for (const { pid } of this.processes()) signalTree(pid, 'SIGKILL');
    await vi.waitFor(() => expect(this.processes()).toEqual([]), { timeout: 60_000 });
    await rm(this.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  async start(): Promise<Started> {
    const { child, errors } = this.spawn();
    const line = await firstLine(child).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${errors()}`);
    });
    const { firstStart } = JSON.parse(line) as { firstStart: boolean };
    return { coordinator: child, firstStart, info: await this.info() };
  }

  spawn(initSql = INIT_SQL): { child: ChildProcess; errors: () => string } {
    const child = this.#program.start([this.path, String(LOCK_TTL_MS), initSql]);
    this.endLater(child);
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    return { child, errors: () => errors };
  }

  /** Has `remove` end this process too. */
  endLater(child: ChildProcess): void {
    this.#children.push(child);
  }

  async info(): Promise<RuntimeInfo> {
    const info = await readRuntimeFile(this.path);
    if (!info) throw new Error('nothing runs here');
    return info;
  }

  /** Every process on this machine that belongs to the folder, but for the coordinators. */
  processes(): ListedProcess[] {
    const own = new Set(this.#children.map(({ pid }) => pid));
    const postgres = postgresOwnership(this.path);
    return listProcesses().filter(
      (found) =>
        !own.has(found.pid) && (found.commandLine.includes(this.path) || postgres.isChild(found)),
    );
  }
}

export async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('no output to read');
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('the coordinator ended while it started');
}

/** Its exit code, when it has ended. */
export async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}

export async function stopped(child: ChildProcess): Promise<number | null> {
  child.kill('SIGTERM');
  return ended(child);
}

export async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await ended(child);
}

export function processOf(info: RuntimeInfo, name: string): RuntimeInfo['processes'][number] {
  const found = info.processes.find((one) => one.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

/** Writes `n` into the database and the cache; resolves when both have acknowledged it. */
export async function setBoth({ databaseUrl, cacheUrl }: RuntimeInfo, n: number): Promise<void> {
  await query(databaseUrl, `update kept set n = ${n}`);
  const cache = new Redis(cacheUrl);
  await cache.set('kept', n);
  cache.disconnect();
}

/** What the database and the cache hold. */
export async function getBoth({
  databaseUrl,
  cacheUrl,
}: RuntimeInfo): Promise<[number, string | null]> {
  const [row] = await query<{ n: number }>(databaseUrl, 'select n from kept');
  const cache = new Redis(cacheUrl, { maxRetriesPerRequest: 0 });
  cache.on('error', () => undefined);
  try {
    return [row?.n ?? NaN, await cache.get('kept')];
  } finally {
    cache.disconnect();
  }
}

async function query<Row extends object>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}
