import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'vite';

const BUILD_ROOT = join(
  import.meta.dirname,
  '../../server/node_modules/.cache/lockstep-test-programs',
);

/** A TypeScript program of the tests, bundled as the product is, so that it can run as a process of its own. */
export interface TestProgram {
  /** Path of the bundle. */
  readonly file: string;
  /** Starts it as `node program ...args` with its outputs as pipes, which must be read. */
  start(args: readonly string[]): ChildProcess;
  remove(): void;
}

/** Bundles the program at `entry` (an absolute path). */
export async function buildProgram(entry: string): Promise<TestProgram> {
  const outDir = join(BUILD_ROOT, randomBytes(6).toString('hex'));
  await build({
    configFile: false,
    logLevel: 'error',
    root: import.meta.dirname,
    build: { ssr: entry, outDir, target: 'node20', minify: false, emptyOutDir: false },
    ssr: { noExternal: [/^@lockstep\//] },
  });
  const file = join(outDir, basename(entry).replace(/\.ts$/, '.js'));
  return {
    file,
    start: (args) =>
      spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }),
    remove: () => rmSync(outDir, { recursive: true, force: true }),
  };
}
