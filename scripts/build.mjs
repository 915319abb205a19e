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
 * A part that is built: its folder, and everything that what comes out depends on.
 * @typedef {{ name: string, sources: string[] }} Part
 */

const COMMON = ['shared', 'pnpm-lock.yaml', 'scripts/build.mjs'];
/** @type {Part[]} */
const PARTS = [
  { name: 'server', sources: ['server', 'migrations', ...COMMON] },
  { name: 'dashboard', sources: ['dashboard', ...COMMON] },
];
const NOT_SOURCES = /^(node_modules|dist|dist\.next|dist\.old|coverage|testing|.*\.test\.ts|\..*)$/;

/**
 * Builds the parts whose sources have changed since their last complete build; says nothing when none has.
 * A build goes to a folder of its own and takes the place of `dist` when it is whole, so an interrupted one leaves the
 * old one and is not taken for done.
 */
export async function build() {
  if (PARTS.every(isBuilt)) return;
  await exclusively(async () => {
    // Another process may have built while we waited.
    const stale = PARTS.filter((part) => !isBuilt(part));
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
  const stamp = join(ROOT, part.name, 'dist', '.stamp');
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hashSources(part);
}

/** @param {Part} part */
async function buildPart(part) {
  const folder = join(ROOT, part.name);
  const [dist, next, old] = ['dist', 'dist.next', 'dist.old'].map((name) => join(folder, name));
  if (!dist || !next || !old) throw new Error('unreachable');
  // Of the sources as they are now: what changes during the build is built next time.
  const hash = hashSources(part);
  const vite = join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js');
  const args = [vite, 'build', '--outDir', 'dist.next', '--emptyOutDir', '--logLevel', 'warn'];
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
    await build();
  });
}
