// @ts-check
import { createHash } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { exclusively } from './exclusive.mjs';
import { ROOT, run, runScript, say, SetupError } from './process.mjs';
import { setUp } from './setup.mjs';

/**
 * A part that is built: its folder, where in it the result goes, and everything that what comes out depends on.
 * @typedef {{ name: string, folder: string, out: string, mode: string, sources: string[] }} Part
 */

const COMMON = ['shared', 'pnpm-lock.yaml', 'scripts/build.mjs'];
const SERVER = ['server', 'migrations', ...COMMON];
const SHIPPED = { out: 'dist', mode: 'production' };
/** @type {Part[]} */
const PARTS = [
  { name: 'server', folder: 'server', ...SHIPPED, sources: SERVER },
  {
    name: 'dashboard',
    folder: 'dashboard',
    ...SHIPPED,
    sources: ['dashboard', 'lab', 'bench/results', ...COMMON],
  },
];
/**
 * Built only where asked for.
 * @type {Part[]}
 */
const MORE_PARTS = [
  // A package of its own, for services.
  { name: 'client', folder: 'client', ...SHIPPED, sources: ['client', ...COMMON] },
  ...['knex', 'kysely', 'drizzle', 'typeorm', 'prisma'].map((name) => ({
    ...{ name, folder: `adapters/${name}`, ...SHIPPED },
    sources: [`adapters/${name}`, 'scripts/vite-adapter.mjs', 'client', ...COMMON],
  })),
  // The coordinator with protections that can be broken, for tests of the tests.
  {
    name: 'controls',
    folder: 'server',
    out: 'dist-controls',
    mode: 'controls',
    sources: ['testkit/controls', ...SERVER],
  },
  // The client with protections that can be broken.
  {
    name: 'client-controls',
    folder: 'client',
    out: 'dist-controls',
    mode: 'controls',
    sources: ['testkit/controls', 'client', ...COMMON],
  },
  {
    name: 'simulation',
    folder: 'simulation',
    ...SHIPPED,
    sources: ['simulation', 'client', 'checkers', 'testkit', ...SERVER],
  },
  { name: 'lab', folder: 'lab', ...SHIPPED, sources: ['lab', 'bench/results', ...COMMON] },
];
const NOT_SOURCES =
  /^(node_modules|dist(-controls)?(\.next|\.old)?|coverage|testing|.*\.test\.ts|\..*)$/;

/**
 * Builds the parts whose sources have changed since their last complete build; says nothing when none has.
 * A build goes to a folder of its own and takes the place of the last one when it is whole, so an interrupted one leaves the
 * old one and runs again the next time.
 * @param {{ also?: string[], only?: string[] }} [options] names of parts: besides the shipped ones, or instead of them
 */
export async function build({ also = [], only } = {}) {
  const parts = [...PARTS, ...MORE_PARTS].filter(({ name }) =>
    only === undefined
      ? also.includes(name) || PARTS.some((part) => part.name === name)
      : only.includes(name),
  );
  if (parts.every(isBuilt)) return;
  await exclusively(async () => {
    // Another process may have built while we waited.
    const stale = parts.filter((part) => !isBuilt(part));
    if (stale.length === 0) return;
    say(`building ${stale.map(({ name }) => name).join(' and ')}`);
    // All are waited for, also when one fails: nothing may still be building when the next one may begin.
    for (const result of await Promise.allSettled(stale.map(buildPart))) {
      if (result.status === 'rejected') throw result.reason;
    }
  });
}

/** @param {Part} part */
function isBuilt(part) {
  const stamp = join(ROOT, part.folder, part.out, '.stamp');
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hashSources(part);
}

/** @param {Part} part */
async function buildPart(part) {
  const folder = join(ROOT, part.folder);
  const dist = join(folder, part.out);
  const [next, old] = [`${dist}.next`, `${dist}.old`];
  // A digest of the present sources: changes during the build are built the next time.
  const hash = hashSources(part);
  const vite = join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js');
  const into = ['--outDir', `${part.out}.next`, '--emptyOutDir'];
  const args = [vite, 'build', '--mode', part.mode, ...into, '--logLevel', 'warn'];
  const { ok, output } = await run(process.execPath, args, {
    cwd: folder,
    env: { NODE_ENV: 'production', NO_COLOR: '1' },
  });
  if (!ok) throw new SetupError(`the ${part.name} could not be built\n${output.trim()}`);
  writeFileSync(join(next, '.stamp'), hash);
  rmSync(old, { recursive: true, force: true });
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(next, dist);
  rmSync(old, { recursive: true, force: true });
}

/** @param {Part} part */
function hashSources({ sources }) {
  const hash = createHash('sha256');
  for (const source of sources) hashPath(hash, join(ROOT, source));
  return hash.digest('hex');
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} path
 */
function hashPath(hash, path) {
  if (!path.endsWith('.yaml') && !path.endsWith('.mjs')) return hashFolder(hash, path);
  hash.update(readFileSync(path));
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} folder
 */
function hashFolder(hash, folder) {
  if (!existsSync(folder)) return;
  const entries = readdirSync(folder, { withFileTypes: true }).filter(
    ({ name }) => !NOT_SOURCES.test(name),
  );
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) hashFolder(hash, path);
    else
      hash
        .update(`${path.slice(ROOT.length)}\0`)
        .update(readFileSync(path))
        .update('\0');
  }
}

if (argv[1] && realpathSync(argv[1]) === fileURLToPath(import.meta.url)) {
  await runScript(async () => {
    await setUp();
    await build({ also: argv.slice(2).map((flag) => flag.replace(/^--/, '')) });
  });
}
