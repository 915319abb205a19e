// @ts-check
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { ROOT, runScript } from './process.mjs';
import { setUp } from './setup.mjs';

await runScript(async () => {
  await setUp();
  await build({ only: ['lab'] });
  await import(pathToFileURL(join(ROOT, 'lab', 'dist', 'main.js')).href);
});
