// @ts-check
import { join } from 'node:path';
import { build } from './build.mjs';
import { ROOT, runScript, runVisibly } from './process.mjs';
import { setUp } from './setup.mjs';

/**
 * Sets up, builds, and runs a program of the bench, which is TypeScript.
 * @param {string} program its path within `bench`
 */
export async function runBench(program) {
  await runScript(async () => {
    await setUp();
    await build();
    const tsx = join(ROOT, 'bench', 'node_modules', 'tsx', 'dist', 'cli.mjs');
    // tsx follows the root's `paths` at run time too; the bench has a tsconfig without them.
    const config = join(ROOT, 'bench', 'tsconfig.run.json');
    process.exitCode = await runVisibly(process.execPath, [
      tsx,
      '--tsconfig',
      config,
      join(ROOT, 'bench', program),
      ...process.argv.slice(2),
    ]);
  });
}
