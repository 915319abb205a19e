import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vite';
import { mockCoordinator } from './dev/mock-server.ts';

const coordinator = process.env['LOCKSTEP_URL'] ?? 'http://127.0.0.1:7400';

/**
 * `vite` proxies to a running coordinator; `vite --mode mock` and `vite preview --mode mock` need none.
 * The base is relative, so that the built files also work under a sub-path of a reverse proxy.
 */
export default defineConfig(({ mode }) => ({
  base: './',
  plugins: [svelte(), tailwindcss(), ...(mode === 'mock' ? [mockCoordinator()] : [])],
  build: { target: 'es2022', sourcemap: false, chunkSizeWarningLimit: 700 },
  server: {
    host: '127.0.0.1',
    ...(mode === 'mock'
      ? {}
      : {
          proxy: {
            '/v1': { target: coordinator },
            '/live': { target: coordinator, ws: true },
          },
        }),
  },
  preview: { host: '127.0.0.1' },
}));
