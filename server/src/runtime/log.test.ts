import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { LockstepError } from '../domain/index.ts';
import { createLog } from './index.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-log-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const VALUE = 'ada@example.test';

/** What is logged, line by line. */
async function logged(count: number, write: (log: ReturnType<typeof createLog>) => void) {
  const file = join(folder, `${crypto.randomUUID()}.log`);
  write(createLog('debug', file));
  return vi.waitFor(async () => {
    const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
    expect(lines).toHaveLength(count);
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  });
}

const errors: [string, Error][] = [
  [
    'a database’s',
    Object.assign(new Error(`duplicate key: ${VALUE}`), {
      code: '23505',
      detail: `Key (email)=(${VALUE})`,
      constraint: 'users_email_key',
      where: VALUE,
      internalQuery: VALUE,
    }),
  ],
  [
    'MySQL’s',
    Object.assign(new Error(`Duplicate entry '${VALUE}'`), {
      errno: 1062,
      sqlMessage: VALUE,
      sql: `insert … '${VALUE}'`,
    }),
  ],
  [
    'a Redis client’s',
    Object.assign(new Error(`ERR ${VALUE}`), {
      name: 'ReplyError',
      command: { name: 'set', args: [VALUE] },
    }),
  ],
  ['a parser’s', new SyntaxError(`Unexpected token, "${VALUE}" is not valid JSON`)],
  [
    'one behind others',
    new LockstepError('DATABASE_UNAVAILABLE', 'Away.', {
      cause: new Error(VALUE, { cause: new Error(VALUE) }),
    }),
  ],
  ['a refusal’s', new LockstepError('CONSTRAINT', `The trigger says ${VALUE}.`)],
  ['one whose text looks like a stack’s', new Error(`it failed\n    at ${VALUE}\n    at ${VALUE}`)],
];

it.each(errors)('a line of the log holds no value of a row: of %s error', async (_whose, err) => {
  const [line] = await logged(1, (log) => log.error({ err, error: String(err) }, 'it failed'));
  expect(JSON.stringify(line)).not.toContain(VALUE);
  expect(line).toMatchObject({ msg: 'it failed', err: { type: err.name } });
});

it('an error in the log keeps its kind, its code, its constraint and where it came from', async () => {
  const cause = Object.assign(new Error(VALUE), { code: '23505', constraint: 'users_email_key' });
  const err = new LockstepError('DATABASE_UNAVAILABLE', 'The database did not answer.', { cause });
  const [line] = await logged(1, (log) => log.error({ err }, 'it failed'));
  expect(line).toMatchObject({
    err: {
      message: 'The database did not answer.',
      code: 'DATABASE_UNAVAILABLE',
      stack: expect.stringContaining('log.test.ts') as string,
      cause: { code: '23505', constraint: 'users_email_key' },
    },
  });
});

it('a key stands in the log as a digest, alike for the same key', async () => {
  const lockKey = `lockstep:lock:user:${VALUE}`;
  const lines = await logged(3, (log) => {
    for (const key of [VALUE, VALUE, 'other']) log.warn({ key, lockKey, cacheKey: VALUE }, 'lost');
  });
  expect(JSON.stringify(lines)).not.toContain(VALUE);
  expect(lines[0]?.['key']).toMatch(/^#[0-9a-f]{12}$/);
  expect(lines[1]?.['key']).toBe(lines[0]?.['key']);
  expect(lines[2]?.['key']).not.toBe(lines[0]?.['key']);
});
