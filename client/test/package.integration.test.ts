import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryPath } from '@lockstep/testkit/repository';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useBed } from './support/bed.ts';
import { newId } from './support/shop.ts';

const run = promisify(execFile);
const bed = useBed();
let folder = '';

/** A program of a service's own, in plain JavaScript, that has nothing but the package. */
const PROGRAM = `
import { createClient, LockstepError } from '@lockstep/client';
import { createTestClient } from '@lockstep/client/testing';
import { observe } from '@lockstep/client/otel';
const [url, token, redis, id] = process.argv.slice(2);
const lockstep = createClient({ url, token, redis });
const end = observe({});
await lockstep.ready();
await lockstep.put('account', id, { owner: 'Ada', balance: 1 });
await lockstep.patch('account', id, { $inc: { balance: 4 } });
const read = await lockstep.get('account', id);
const missing = await lockstep.patch('account', Number(id) + 500, { owner: 'x' }).catch((error) => error);
const card = await lockstep.computed('profile-card', [id], async ([key]) => ({ key }));
console.log(JSON.stringify({ read, card, code: missing.code, isOurs: missing instanceof LockstepError,
  double: typeof createTestClient }));
end();
await lockstep.close();
`;

/** The same names, by their types. */
const TYPED = `
import { createClient, LockstepError, type Client, type PatchOf } from '@lockstep/client';
import { createTestClient } from '@lockstep/client/testing';
type Columns = { balance: number };
type Shop = {
  total: { key: string; value: unknown; insert: never; put: never; patch: never };
  account: { key: number; value: { id: number; balance: number }; insert: Columns; put: Columns; patch: PatchOf<Columns> };
};
const client: Client<Shop> = createClient<Shop>({ url: 'http://x' });
export async function balance(): Promise<number> {
  const row = await client.get('account', 42);
  await client.patch('account', 42, { $inc: { balance: -5 } }, { ifVersion: 7 });
  // @ts-expect-error no such resource
  await client.get('acount', 42).catch((error: LockstepError) => error.code);
  const total = await client.computed('total', 'Ada', async (owner) => ({ length: owner.length }));
  return row === null ? total.value.length : row.value.balance;
}
export const double = createTestClient({ resources: { account: { key: ['id'] } } });
`;

/** The form of the file that `lockstep types` writes. */
const DECLARED = `
import '@lockstep/client';
declare module '@lockstep/client' {
  interface Resources {
    account: { key: number; value: { id: number }; insert: { id?: number }; put: {}; patch: {} };
    report: { key: string; value: { total: number }[]; insert: never; put: never; patch: never };
  }
}
`;

const USING_DECLARED = `
import './lockstep.js';
import { createClient } from '@lockstep/client';
const client = createClient({ url: 'http://x' });
export async function total(): Promise<number> {
  await client.insert('account', {});
  // @ts-expect-error no such resource
  await client.get('acount', 42);
  // @ts-expect-error another key
  await client.get('account', 'x');
  // @ts-expect-error it is read only
  await client.put('report', 'x', {});
  const rows = await client.get('report', 'x');
  return rows?.value[0]?.total ?? 0;
}
`;

beforeAll(async () => {
  await run(process.execPath, [repositoryPath('scripts/build.mjs'), '--client']);
  folder = await mkdtemp(join(tmpdir(), 'lockstep-package-'));
  await run('npm', ['pack', '--pack-destination', folder], { cwd: repositoryPath('client') });
  await writeFile(join(folder, 'package.json'), '{"type":"module","private":true}');
  await run('npm', ['install', '--no-audit', '--no-fund', './lockstep-client-0.1.0.tgz'], {
    cwd: folder,
  });
}, 400_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the packed package', () => {
  test('installs into an empty project and works with a coordinator', async () => {
    const { url, serviceToken, cacheUrl } = bed.instance.runtime;
    const id = String(newId());
    await writeFile(join(folder, 'program.js'), PROGRAM);
    const { stdout } = await run(
      process.execPath,
      ['program.js', url, serviceToken, cacheUrl, id],
      { cwd: folder },
    );
    expect(JSON.parse(stdout)).toEqual({
      read: { version: 2, source: 'cache', value: { id: Number(id), owner: 'Ada', balance: 5 } },
      card: { value: { key: id }, source: 'loader' },
      ...{ code: 'NOT_FOUND', isOurs: true, double: 'function' },
    });
    // What another process has loaded is cached for this one.
    const client = await bed.ready();
    expect(await client.computed('profile-card', id, () => 'another')).toEqual({
      ...{ value: { key: id }, source: 'cache' },
    });
  });

  test('has types that stand alone', async () => {
    await writeFile(join(folder, 'typed.ts'), TYPED);
    expect(await compilerSays('typed.ts')).toBe('');
  });

  test('takes the types that lockstep types has declared', async () => {
    await writeFile(join(folder, 'lockstep.d.ts'), DECLARED);
    await writeFile(join(folder, 'declared.ts'), USING_DECLARED);
    expect(await compilerSays('declared.ts')).toBe('');
  });
});

/** What the compiler has against a file of the empty project. */
async function compilerSays(file: string): Promise<string> {
  const tsc = repositoryPath('node_modules/typescript/bin/tsc');
  const types = repositoryPath('node_modules/@types');
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023'];
  const args = [tsc, ...flags, '--typeRoots', types, '--types', 'node', file];
  const { stdout } = await run(process.execPath, args, { cwd: folder }).catch(
    (error: unknown) => error as { stdout: string },
  );
  return stdout;
}
