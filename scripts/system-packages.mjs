// @ts-check
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, run, say, SetupError } from './process.mjs';

/**
 * Something that the system's packages provide.
 * @typedef {object} Requirement
 * @property {string} name as people call it
 * @property {() => boolean} isThere
 * @property {Partial<Record<ManagerName, string>>} packages its package by package manager
 */

/** @typedef {'apt-get' | 'dnf' | 'apk' | 'brew'} ManagerName */

const CHROMIUMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** @type {Requirement} */
const redis = {
  name: 'redis-server',
  isThere: () => findProgram(['redis-server', 'valkey-server']) !== undefined,
  packages: { 'apt-get': 'redis-server', dnf: 'valkey', apk: 'redis', brew: 'redis' },
};

/** @type {Requirement[]} */
const forTests = [
  {
    name: 'MariaDB',
    isThere: () => findProgram(['mariadbd']) !== undefined,
    packages: {
      'apt-get': 'mariadb-server',
      dnf: 'mariadb-server',
      apk: 'mariadb',
      brew: 'mariadb',
    },
  },
  {
    name: 'PgBouncer',
    isThere: () => findProgram(['pgbouncer']) !== undefined,
    packages: { 'apt-get': 'pgbouncer', dnf: 'pgbouncer', apk: 'pgbouncer', brew: 'pgbouncer' },
  },
  {
    name: 'nginx',
    // Debian has it where only an administrator's PATH leads.
    isThere: () => findProgram(['nginx']) !== undefined || existsSync('/usr/sbin/nginx'),
    packages: { 'apt-get': 'nginx', dnf: 'nginx-core', apk: 'nginx', brew: 'nginx' },
  },
  {
    name: 'Chromium',
    isThere: () => findProgram(CHROMIUMS) !== undefined,
    packages: { 'apt-get': 'chromium', dnf: 'chromium', apk: 'chromium' },
  },
  {
    name: 'fonts',
    // Without any font a browser draws no text, and pages have other sizes. macOS has its own.
    isThere: () => process.platform !== 'linux' || hasFont('/usr/share/fonts'),
    packages: { 'apt-get': 'fonts-liberation', dnf: 'liberation-fonts', apk: 'font-liberation' },
  },
];

/** @type {Requirement} */
const fakeTime = {
  name: 'libfaketime',
  isThere: () => findProgram(['faketime']) !== undefined,
  packages: { 'apt-get': 'faketime', dnf: 'libfaketime', apk: 'libfaketime' },
};

/** @type {Record<ManagerName, { install: string[], refresh?: string[], needsRoot: boolean }>} */
const MANAGERS = {
  'apt-get': {
    install: ['-o', 'DPkg::Lock::Timeout=300', 'install', '-y', '--no-install-recommends'],
    refresh: ['-o', 'DPkg::Lock::Timeout=300', 'update'],
    needsRoot: true,
  },
  dnf: { install: ['install', '-y', '--setopt=install_weak_deps=False'], needsRoot: true },
  apk: { install: ['add', '--no-cache'], needsRoot: true },
  brew: { install: ['install'], needsRoot: false },
};

/** No questions, and no service of the package is started: Lockstep runs its own. */
const ENVIRONMENT = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1', SYSTEMD_OFFLINE: '1' };

/**
 * Which system packages are missing.
 * @param {{ tests: boolean }} options
 */
export function missingRequirements({ tests }) {
  return (tests ? [redis, ...forTests] : [redis]).filter((requirement) => !requirement.isThere());
}

/**
 * Installs what is missing with the system's package manager, where that asks for no password.
 * @param {Requirement[]} missing
 * @throws {SetupError} with the command to type, where it cannot.
 */
export async function installRequirements(missing) {
  const names = missing.map(({ name }) => name).join(', ');
  const manager = /** @type {ManagerName[]} */ (Object.keys(MANAGERS)).find((name) =>
    findProgram([name]),
  );
  if (manager === undefined)
    throw new SetupError(`please install ${names}: no known package manager here`);
  const packages = missing.flatMap(({ packages }) => packages[manager] ?? []);
  if (packages.length < missing.length)
    throw new SetupError(`please install ${names}: ${manager} has no package`);
  const { install, refresh, needsRoot } = MANAGERS[manager];
  const prefix = await rootPrefix(needsRoot);
  const command = [
    manager,
    ...install.filter((word) => !/^-o$|^DPkg/.test(word)),
    ...packages,
  ].join(' ');
  const advice = `type: ${needsRoot ? 'sudo ' : ''}${command}`;
  if (prefix === undefined) throw new SetupError(`${names} must be installed first; ${advice}`);
  say(`installing ${packages.join(', ')} with ${manager} (once; may take a minute)`);
  let result = await execute(prefix, [manager, ...install, ...packages]);
  if (!result.ok && refresh) {
    // The lists of a fresh machine are empty, and those of an old one name files that are gone.
    result = await execute(prefix, [manager, ...refresh]);
    if (result.ok) result = await execute(prefix, [manager, ...install, ...packages]);
  }
  const still = missing.filter((requirement) => !requirement.isThere());
  if (result.ok && still.length === 0) return;
  const lines = result.output.trim().split('\n').slice(-15).join('\n');
  throw new SetupError(`${names} could not be installed; ${advice}\n${lines}`);
}

/**
 * Installs the library that gives a process a wall clock of its own, where that asks for no password. Without it the
 * tests of jumping clocks skip themselves and say so; nothing else needs it, so a failure is reported but not an error.
 */
export async function installFakeTime() {
  if (process.platform !== 'linux' || fakeTime.isThere()) return;
  try {
    await installRequirements([fakeTime]);
  } catch (error) {
    const reason = error instanceof SetupError ? error.message.split('\n', 1)[0] : String(error);
    say(`clocks of coordinators will not jump in the tests: ${reason}`);
  }
}

/**
 * What goes before a command so that it runs with the rights that it needs; undefined when that takes a password.
 * @param {boolean} needsRoot
 * @returns {Promise<string[] | undefined>}
 */
async function rootPrefix(needsRoot) {
  if (!needsRoot || process.getuid?.() === 0) return [];
  if (findProgram(['sudo']) === undefined) return undefined;
  const { ok } = await run('sudo', ['-n', 'true']);
  // sudo drops the environment, so it is passed on its command line.
  return ok
    ? ['sudo', '-n', 'env', ...Object.entries(ENVIRONMENT).map((pair) => pair.join('='))]
    : undefined;
}

/**
 * @param {string[]} prefix
 * @param {string[]} words
 */
function execute(prefix, words) {
  const [command = '', ...args] = [...prefix, ...words];
  return run(command, args, { env: ENVIRONMENT });
}

/**
 * @param {string} folder
 * @returns {boolean}
 */
function hasFont(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true }).some((entry) =>
      entry.isDirectory()
        ? hasFont(join(folder, entry.name))
        : /\.(ttf|otf|ttc|pf[ab])$/i.test(entry.name),
    );
  } catch {
    return false;
  }
}
