// @ts-check
import { join } from 'node:path';
import { build } from './build.mjs';
import { ROOT, runScript, runVisibly } from './process.mjs';
import { setUp } from './setup.mjs';
import { installFakeTime } from './system-packages.mjs';

/**
 * Sets up, builds, and runs a program of the live faults, which is TypeScript.
 * @param {string} program its path within `e2e/faults`
 * @param {{ controls: boolean }} options `controls`: also the coordinator and the client whose protections can be broken
 */
export async function runFaults(program, { controls }) {
  await runScript(async () => {
    await setUp();
    await installFakeTime();
    await build({ also: controls ? ['client', 'controls', 'client-controls'] : ['client'] });
    const tsx = join(ROOT, 'e2e', 'node_modules', 'tsx', 'dist', 'cli.mjs');
    const args = [tsx, '--tsconfig', join(ROOT, 'e2e', 'tsconfig.run.json')];
    const path = join(ROOT, 'e2e', 'faults', program);
    process.exitCode = await runVisibly(process.execPath, [
      ...args,
      path,
      ...process.argv.slice(2),
    ]);
  });
}
