import { defineConfig } from 'vite';

/** Bundles the program of `npm run lab`. */
export default defineConfig({
  root: import.meta.dirname,
  build: {
    ssr: true,
    rolldownOptions: { input: { main: 'src/lab.program.ts' } },
    outDir: 'dist',
    target: 'node20',
    minify: false,
    emptyOutDir: true,
  },
});
