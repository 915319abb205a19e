import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { defineConfig, type Plugin } from 'vite';

const ROOT = join(import.meta.dirname, '..');
const SHARED = '@lockstep/shared/for-clients';

/** Writes the declarations, with those of `shared` that they need, so that the package stands alone. */
const declarations: Plugin = {
  name: 'declarations',
  writeBundle: ({ dir = 'dist' }) => {
    const out = join(dir, 'types');
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const project = join(import.meta.dirname, 'tsconfig.types.json');
    execFileSync(process.execPath, [tsc, '-p', project, '--outDir', out], { stdio: 'inherit' });
    for (const path of readdirSync(out, { recursive: true, encoding: 'utf8' })) {
      if (!path.endsWith('.d.ts')) continue;
      const file = join(out, path);
      const shared = relative(dirname(file), join(out, 'shared/src/for-clients.js'));
      const text = readFileSync(file, 'utf8')
        .replaceAll(`'${SHARED}'`, `'${shared}'`)
        .replace(/(from '|import\(')(\.[^']*)\.ts'/g, "$1$2.js'");
      writeFileSync(file, text);
    }
  },
};

/** Puts the controls' port of the cache under the client, for everyone but the controls themselves. */
const brokenCache: Plugin = {
  name: 'broken-cache',
  enforce: 'pre',
  resolveId(source, importer) {
    if (!source.endsWith('/own-cache.ts') || importer?.endsWith('/broken-cache.ts') === true)
      return;
    return join(ROOT, 'testkit/controls/broken-cache.ts');
  },
};

/**
 * Bundles the package's own code with what it needs of `shared`; its dependencies stay imports. Mode `controls`: the
 * client with one protection broken, which is never shipped.
 */
export default defineConfig(({ mode }) => ({
  root: import.meta.dirname,
  plugins: mode === 'controls' ? [brokenCache] : [declarations],
  build: {
    ssr: true,
    rolldownOptions: {
      input: {
        index: 'src/index.ts',
        otel: 'src/otel.ts',
        sql: 'src/sql.ts',
        testing: 'src/testing.ts',
      },
    },
    outDir: mode === 'controls' ? 'dist-controls' : 'dist',
    target: 'node20',
    sourcemap: false,
    minify: false,
    emptyOutDir: true,
  },
  ssr: { noExternal: [/^@lockstep\//] },
}));
