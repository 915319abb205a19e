import { defineConfig } from 'vite';

const DEMO_LOAD = { 'demo-load': 'src/demo/load.program.ts' };

/**
 * Bundles the coordinator's own code, and the demo load's program beside it; packages stay in node_modules. Mode
 * `controls`: the coordinator with one protection broken, which is never shipped.
 */
export default defineConfig(({ mode }) => ({
  root: import.meta.dirname,
  build: {
    ssr: true,
    rolldownOptions: {
      input: {
        main: mode === 'controls' ? '../testkit/controls/main.program.ts' : 'src/main.ts',
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
