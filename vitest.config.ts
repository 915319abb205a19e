import { defineConfig } from 'vitest/config';

/**
 * Three projects, by what a test needs:
 *   unit         nothing but Node; part of `verify`
 *   integration  real PostgreSQL, MariaDB and Redis (`*.integration.test.ts`, `*.conformance.test.ts`)
 *   e2e          whole running instances, driven from outside (`e2e/`)
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          // Against hanging only: machines are noisy, and some tests explore for seconds.
          testTimeout: 60_000,
          include: [
            '{server,shared,migrations,bench,scripts,checkers,simulation,lab,dashboard,e2e/schemas}/**/*.test.ts',
          ],
          exclude: [
            '**/node_modules/**',
            '**/*.integration.test.ts',
            '**/dist/**',
            '**/.stryker-tmp/**',
          ],
        },
      },
      {
        test: {
          name: 'integration',
          globalSetup: ['server/src/testing/global-setup.ts'],
          include: ['{server,simulation}/**/*.integration.test.ts'],
          exclude: ['**/node_modules/**', '**/dist/**'],
          testTimeout: 30_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'e2e',
          globalSetup: ['server/src/testing/global-setup.ts'],
          include: ['e2e/{api,faults}/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
