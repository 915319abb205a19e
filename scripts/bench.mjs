// @ts-check
import { join } from 'node:path';
import { build } from './build.mjs';
import { ROOT, runScript, runVisibly } from './process.mjs';
import { setUp } from './setup.mjs';

await runScript(async () => {
  await setUp();
  await build();
  const tsx = join(ROOT, 'bench', 'node_modules', 'tsx', 'dist', 'cli.mjs');
  const main = join(ROOT, 'bench', 'main.ts');
  // tsx follows the root's `paths` at run time too; the bench has a tsconfig without them.
  const config = join(ROOT, 'bench', 'tsconfig.run.json');
  process.exitCode = await runVisibly(process.execPath, [
    tsx,
    '--tsconfig',
    config,
    main,
    ...process.argv.slice(2),
  ]);
});
