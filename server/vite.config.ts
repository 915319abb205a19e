import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';

const DEMO_LOAD = { 'demo-load': 'src/demo/load.program.ts' };

/** Puts the controls' ports under the engine, for everyone but the controls themselves. */
const brokenPorts: Plugin = {
  name: 'broken-ports',
  enforce: 'pre',
  resolveId(source, importer) {
    if (!source.endsWith('/own-ports.ts') || importer?.endsWith('/broken-ports.ts') === true)
      return;
    return join(import.meta.dirname, '../testkit/controls/broken-ports.ts');
  },
};

/**
 * Bundles the coordinator's own code, and the demo load's program beside it; packages stay in node_modules. Mode
 * `controls`: the coordinator with one protection broken, which is never shipped.
 */
export default defineConfig(({ mode }) => ({
  root: import.meta.dirname,
  plugins: mode === 'controls' ? [brokenPorts] : [],
  build: {
    ssr: true,
    rolldownOptions: {
      input: {
        main: 'src/main.ts',
        worker: 'src/worker.program.ts',
        ...DEMO_LOAD,
      },
    },
    outDir: mode === 'controls' ? 'dist-controls' : 'dist',
    target: 'node20',
    sourcemap: true,
    minify: false,
    emptyOutDir: true,
  },
  ssr: { noExternal: [/^@lockstep\//] },
}));
