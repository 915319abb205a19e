// @ts-check
/** How the packages in adapters/ are built: the code of one, with its types. What it is used beside stays an import. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { ROOT } from './process.mjs';

/**
 * @param {string} folder of the package
 * @returns {import('vite').UserConfig}
 */
export const adapterConfig = (folder) => ({
  root: folder,
  plugins: [
    {
      name: 'declarations',
      writeBundle: ({ dir = 'dist' }) => writeDeclarations(folder, resolve(folder, dir)),
    },
  ],
  build: {
    ssr: true,
    rolldownOptions: { input: { index: 'src/index.ts' } },
    target: 'node20',
    sourcemap: false,
    minify: false,
    emptyOutDir: true,
  },
});

/**
 * @param {string} folder
 * @param {string} dist
 */
function writeDeclarations(folder, dist) {
  const out = join(dist, 'types');
  const all = join(dist, 'all-types');
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const project = join(folder, 'tsconfig.types.json');
  execFileSync(process.execPath, [tsc, '-p', project, '--outDir', all], { stdio: 'inherit' });
  // Beside them are those of the client, which has its own package.
  renameSync(join(all, relative(ROOT, folder), 'src'), out);
  rmSync(all, { recursive: true });
  for (const path of readdirSync(out, { recursive: true, encoding: 'utf8' })) {
    const file = join(out, path);
    const text = readFileSync(file, 'utf8').replace(
      /(from '|import\(')(\.[^']*)\.ts'/g,
      "$1$2.js'",
    );
    writeFileSync(file, text);
  }
}
