import { createConnection } from 'mysql2/promise';
import { type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { pingRedis } from '../../server/src/embedded/redis-ping.ts';
import { freshDatabase, isMysqlInstalled, startMysql, startPostgres, startRedis } from './index.ts';
import { buildProgram } from '../processes/program.ts';

describe('a test Redis', () => {
  it('pauses, continues, dies and comes back on its port', async () => {
    const redis = await startRedis({ password: 'secret' });
    onTestFinished(() => redis.stop());
    redis.pause();
    await expect(pingRedis(redis.port, 'secret', 100)).rejects.toThrow('does not answer');
    redis.resume();
    await pingRedis(redis.port, 'secret');
    const before = redis.pid;
    await redis.kill();
    await expect(pingRedis(redis.port, 'secret')).rejects.toThrow();
    await redis.restart();
    await pingRedis(redis.port, 'secret');
    expect(redis.pid).not.toBe(before);
    expect(redis.url).toBe(`redis://:secret@127.0.0.1:${redis.port}`);
  });

  it('leaves no process and no folder behind when its owner is killed', async () => {
    const program = await buildProgram(join(import.meta.dirname, 'redis-owner.program.ts'));
    onTestFinished(() => program.remove());
    const owner = program.start([]);
    onTestFinished(() => void owner.kill('SIGKILL'));
    const pid = Number(await firstLine(owner));
    const folder = await realpath(`/proc/${pid}/cwd`);
    owner.kill('SIGKILL');
    await vi.waitFor(
      () => {
        expect(existsSync(folder)).toBe(false);
        expect(() => process.kill(pid, 0)).toThrow('ESRCH');
      },
      { timeout: 60_000 },
    );
  });
});

describe('a test PostgreSQL', () => {
  it('does not answer while paused, and keeps its data when killed', async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.stop());
    await query(postgres.url, 'create table kept as select 7 as id');
    postgres.pause();
    await expect(query(postgres.url, 'select 1')).rejects.toThrow(/timeout/);
    postgres.resume();
    await postgres.restart();
    expect(await query(postgres.url, 'select id from kept')).toEqual([{ id: 7 }]);
  });

  it('gives each test file an empty database of its own', async () => {
    const [first, second] = await Promise.all([freshDatabase('pg'), freshDatabase('pg')]);
    onTestFinished(() => first.drop());
    onTestFinished(() => second.drop());
    expect(first.url).not.toBe(second.url);
    await query(first.url, 'create table mine (id int)');
    expect(await query(second.url, "select to_regclass('mine') as found")).toEqual([
      { found: null },
    ]);
  });
});

describe.skipIf(!isMysqlInstalled())('a test MariaDB', () => {
  it('gives each test file an empty database of its own', async () => {
    const fresh = await freshDatabase('mysql2');
    onTestFinished(() => fresh.drop());
    const connection = await createConnection(fresh.url);
    await connection.query('create table mine (id int)');
    const [rows] = await connection.query('show tables');
    await connection.end();
    expect(rows).toHaveLength(1);
  });

  it('comes back on its port after a kill', async () => {
    const mariaDb = await startMysql();
    onTestFinished(() => mariaDb.stop());
    await mariaDb.kill();
    await mariaDb.restart();
    const connection = await createConnection(mariaDb.url);
    await connection.end();
  });
});

async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('no output to read');
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('the program ended without a word');
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 500 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<object>(sql)).rows;
  } finally {
    await client.end();
  }
}
