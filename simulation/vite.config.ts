import { defineConfig } from 'vite';

/** Bundles the simulation with the engine's modules that it runs; no package is left outside. */
export default defineConfig({
  root: import.meta.dirname,
  build: {
    ssr: true,
    rolldownOptions: { input: { main: 'src/main.program.ts' } },
    outDir: 'dist',
    target: 'node20',
    sourcemap: true,
    minify: false,
    emptyOutDir: true,
  },
  ssr: { noExternal: true },
});
