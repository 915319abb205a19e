// @ts-check
import { join, resolve } from 'node:path';
import { ROOT, runScript, runVisibly } from './process.mjs';
import { setUp } from './setup.mjs';

await runScript(async () => {
  await setUp();
  const checkers = join(ROOT, 'checkers');
  process.exitCode = await runVisibly(process.execPath, [
    join(checkers, 'node_modules', 'tsx', 'dist', 'cli.mjs'),
    join(checkers, 'src', 'check-history.program.ts'),
    ...process.argv.slice(2).map(fromWhereTyped),
  ]);
});

/**
 * npm changes to the repository before it runs a script; the file is meant from where the user typed it.
 * @param {string} arg
 * @param {number} index
 * @param {string[]} args
 */
function fromWhereTyped(arg, index, args) {
  const isValue = ['--format', '--max-states'].includes(args[index - 1] ?? '');
  if (arg.startsWith('-') || isValue) return arg;
  return resolve(process.env['INIT_CWD'] ?? process.cwd(), arg);
}
