// @ts-check
import { join } from 'node:path';
import { build } from './build.mjs';
import { ROOT, runScript, runVisibly } from './process.mjs';
import { setUp } from './setup.mjs';

/**
 * Sets up, builds, and runs a program of `bench`, `conformance` or `e2e`, which is TypeScript.
 * @param {'bench' | 'conformance' | 'e2e'} folder
 * @param {string} program its path within the folder
 */
export async function runProgram(folder, program) {
  await runScript(async () => {
    await setUp();
    await build({ also: ['client'] });
    const tsx = join(ROOT, folder, 'node_modules', 'tsx', 'dist', 'cli.mjs');
    // tsx follows the root's `paths` at run time too; these folders have a tsconfig without them.
    const config = join(ROOT, folder, 'tsconfig.run.json');
    process.exitCode = await runVisibly(process.execPath, [
      tsx,
      '--tsconfig',
      config,
      join(ROOT, folder, program),
      ...process.argv.slice(2),
    ]);
  });
}
