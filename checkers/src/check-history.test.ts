import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checkHistory } from './check-history.ts';
import { randomRun } from './testing/random-run.ts';

const PACKAGE = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'lockstep-history-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function check(lines: readonly string[], ...options: string[]): Promise<Ran> {
  const file = join(folder, 'history.jsonl');
  writeFileSync(file, lines.join('\n'));
  return run(file, ...options);
}

interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

async function run(...args: string[]): Promise<Ran> {
  const ran = { status: 0, stdout: '', stderr: '' };
  ran.status = await checkHistory(args, {
    out: (text) => (ran.stdout += `${text}\n`),
    error: (text) => (ran.stderr += `${text}\n`),
  });
  return ran;
}

describe('check-history', () => {
  test('exits with 0 if the history is valid', async () => {
    const { status, stdout } = await check(randomRun({ seed: 1, operations: 200 }));
    expect(stdout).toMatch(/^holds: 200 operations on 2 keys, 0 violations, in \d+ ms\n$/);
    expect(status).toBe(0);
  });

  test('exits with 1 and shows the operations if it is not', async () => {
    const lines = randomRun({ seed: 1, operations: 400, flaw: 'stale read' });
    const { status, stdout } = await check(lines);
    expect(stdout).toMatch(/^R6 {2}account:\d: a read answered version \d+ though \d+ was there/m);
    expect(stdout).toMatch(/^ {2}#\d+ client \d+, [\d.]+ ms to [\d.]+ ms: read -> ok version \d+/m);
    expect(stdout).toMatch(/\nviolated: 400 operations/);
    expect(status).toBe(1);
    const told = JSON.parse((await check(lines, '--json')).stdout) as { verdict: string };
    expect(told).toMatchObject({ verdict: 'violated', operations: 400, keys: 2, unknownKeys: [] });
  });

  test('exits with 3 if its bound was too low to decide', async () => {
    const { status, stdout } = await check(
      randomRun({ seed: 1, operations: 200 }),
      '--max-states',
      '1',
    );
    expect(stdout).toMatch(/reached its bound for: account:\d/);
    expect(status).toBe(3);
  });

  test.each([
    ['a file that is not there', ['/nowhere/history.jsonl'], /ENOENT/],
    ['a file that is no history', [join(PACKAGE, 'package.json')], /line 1: .*\(NOT_JSON\)/],
    ['no file', [], /name one FILE/],
    ['an unknown format', ['--format', 'edn', join(PACKAGE, 'package.json')], /--format/],
    ['an unknown option', ['--fast'], /--fast/],
    ['a bound that is no number', ['--max-states', 'all', 'x'], /--max-states/],
  ])('exits 2 with one line on %s', async (_name, args, line) => {
    const { status, stdout, stderr } = await run(...args);
    expect(stderr).toMatch(line);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });

  test('reads the logs of Jepsen', async () => {
    const log = ['0\t:invoke\t:write\t1', '0\t:ok\t:write\t1', '1\t:invoke\t:read\tnil'];
    const lines = (value: string): string[] =>
      [...log, `1\t:ok\t:read\t${value}`].map((line) => `INFO  jepsen.util - ${line}`);
    expect((await check(lines('1'), '--format', 'jepsen-etcd')).status).toBe(0);
    expect((await check(lines('nil'), '--format', 'jepsen-etcd')).status).toBe(1);
    expect((await check(lines('x'), '--format', 'jepsen-etcd')).status).toBe(2);
  });

  test('runs as a program', () => {
    const tsx = join(PACKAGE, 'node_modules', 'tsx', 'dist', 'cli.mjs');
    const program = join(PACKAGE, 'src', 'check-history.program.ts');
    const args = [tsx, program, '--help'];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stdout).toMatch(/^Usage: npm run check-history/);
    expect(status).toBe(0);
  });
});
