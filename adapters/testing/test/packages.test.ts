/** The packages as a service installs them: packed, beside the client and an ORM of its own. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryPath } from '@lockstep/testkit/repository';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const ADAPTERS = ['knex', 'kysely', 'drizzle', 'typeorm', 'prisma'];
let folder = '';

beforeAll(async () => {
  const flags = ['client', ...ADAPTERS].map((name) => `--${name}`);
  await run(process.execPath, [repositoryPath('scripts/build.mjs'), ...flags]);
  folder = await mkdtemp(join(tmpdir(), 'lockstep-adapters-'));
  await writeFile(join(folder, 'package.json'), '{"type":"module","private":true}');
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a package has beside its own code, as a service would have installed it. */
async function link(name: string, from: string): Promise<void> {
  const place = join(folder, 'node_modules', name);
  await mkdir(dirname(place), { recursive: true });
  await symlink(join(from, 'node_modules', name), place);
}

async function unpack(source: string): Promise<{ name: string; peers: string[] }> {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: source,
  });
  const [{ filename } = { filename: '' }] = JSON.parse(stdout) as { filename: string }[];
  await run('tar', ['-xzf', filename], { cwd: folder });
  const text = await readFile(join(folder, 'package', 'package.json'), 'utf8');
  const {
    name,
    peerDependencies = {},
    dependencies = {},
  } = JSON.parse(text) as {
    name: string;
    peerDependencies?: Record<string, string>;
    dependencies?: Record<string, string>;
  };
  const place = join(folder, 'node_modules', name);
  await mkdir(dirname(place), { recursive: true });
  await cp(join(folder, 'package'), place, { recursive: true });
  await rm(join(folder, 'package'), { recursive: true });
  const beside = [...Object.keys(peerDependencies), ...Object.keys(dependencies)];
  return { name, peers: beside.filter((each) => !each.startsWith('@lockstep/')) };
}

test('each loads beside the client and its ORM, and has types that stand alone', async () => {
  const client = await unpack(repositoryPath('client'));
  for (const peer of client.peers) await link(peer, repositoryPath('client'));
  const names: string[] = [];
  for (const adapter of ADAPTERS) {
    const source = repositoryPath(join('adapters', adapter));
    const { name, peers } = await unpack(source);
    for (const peer of peers) await link(peer, source);
    names.push(name);
  }
  const imports = names.map((name, index) => `import * as a${index} from '${name}';`);
  const all = names.map((_, index) => `a${index}`).join();
  await writeFile(
    join(folder, 'program.js'),
    `${imports.join('\n')}
    console.log(JSON.stringify([${all}].map((each) => typeof each.callGuard + typeof each.invalidate)));`,
  );
  const { stdout } = await run(process.execPath, ['program.js'], { cwd: folder });
  expect(JSON.parse(stdout)).toEqual(names.map(() => 'functionfunction'));
  await writeFile(
    join(folder, 'typed.ts'),
    `${imports.join('\n')}
    // @ts-expect-error a resource is named by a text
    export const called = [${all}].map(({ invalidate }) => invalidate(null as never, 7));`,
  );
  expect(await compilerSays('typed.ts')).toBe('');
});

async function compilerSays(file: string): Promise<string> {
  const tsc = repositoryPath('node_modules/typescript/bin/tsc');
  const types = repositoryPath('node_modules/@types');
  const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext'];
  const more = ['--target', 'es2023', '--typeRoots', types, '--types', 'node'];
  const { stdout } = await run(process.execPath, [tsc, ...flags, ...more, file], {
    cwd: folder,
  }).catch((error: unknown) => error as { stdout: string });
  return stdout;
}
