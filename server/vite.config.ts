import { defineConfig } from 'vite';

/** Bundles the coordinator's own code, and the demo load's program beside it; packages stay in node_modules. */
export default defineConfig({
  root: import.meta.dirname,
  build: {
    ssr: true,
    rolldownOptions: { input: { main: 'src/main.ts', 'demo-load': 'src/demo/load.program.ts' } },
    outDir: 'dist',
    target: 'node20',
    sourcemap: true,
    minify: false,
    emptyOutDir: true,
  },
  ssr: { noExternal: [/^@lockstep\//] },
});
