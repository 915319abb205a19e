// @ts-check
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { ROOT, runScript } from './process.mjs';
import { setUp } from './setup.mjs';

const PATH_FLAGS = ['--config', '--data-dir'];

/**
 * Sets up, builds, and then runs the command line in this very process: signals and memory are the coordinator's own.
 * @param {string[]} args
 */
export async function launch(args) {
  await runScript(async () => {
    await setUp();
    await build();
    process.argv = [process.execPath, 'lockstep', ...args.map(absolutePath)];
    await import(pathToFileURL(join(ROOT, 'server', 'dist', 'main.js')).href);
  });
}

/**
 * npm and pnpm change to the repository before they run a script; a path is meant from where the user typed it.
 * @param {string} arg
 * @param {number} index
 * @param {string[]} args
 */
function absolutePath(arg, index, args) {
  const typedIn = process.env['INIT_CWD'];
  if (typedIn === undefined || process.cwd() !== ROOT) return arg;
  if (PATH_FLAGS.includes(args[index - 1] ?? '')) return resolve(typedIn, arg);
  const flag = PATH_FLAGS.find((name) => arg.startsWith(`${name}=`));
  return flag === undefined ? arg : `${flag}=${resolve(typedIn, arg.slice(flag.length + 1))}`;
}
