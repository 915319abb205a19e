import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/**
 * Three projects, by what a test needs:
 *   unit         nothing but Node; part of `verify`
 *   integration  real PostgreSQL, MariaDB and Redis (`*.integration.test.ts`, `*.conformance.test.ts`)
 *   e2e          whole running instances, driven from outside (`e2e/`)
 *
 * `isolate: false`: no test changes the state of a module, so the files of one worker share what they import.
 */
/** Against hanging only: a condition that comes true is waited for as long as a machine with much other work may take. */
const expectation = { poll: { timeout: 60_000, interval: 20 } };

/** These tests wait for servers for a third of their time: on two cores three workers keep them busy. */
const WORKERS_THAT_WAIT = 3;

/** The tests of the adapters run what has not been built. */
const builtPackages = [
  { find: /^@lockstep\/client$/, replacement: join(import.meta.dirname, 'client/src/index.ts') },
  { find: /^@lockstep\/client\/sql$/, replacement: join(import.meta.dirname, 'client/src/sql.ts') },
  {
    find: /^@lockstep\/(knex|kysely|drizzle|typeorm|prisma)$/,
    replacement: join(import.meta.dirname, 'adapters/$1/src/index.ts'),
  },
];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          expect: expectation,
          // Against hanging only: machines are noisy, and some tests explore for seconds.
          testTimeout: 300_000,
          hookTimeout: 300_000,
          isolate: false,
          maxWorkers: 2,
          include: [
            '{server,client,shared,migrations,bench,conformance,scripts,checkers,simulation,lab,dashboard,testkit,e2e/schemas}/**/*.test.ts',
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
          expect: expectation,
          globalSetup: ['testkit/servers/global-setup.ts'],
          include: ['{server,client,conformance,simulation,testkit}/**/*.integration.test.ts'],
          exclude: ['**/node_modules/**', '**/dist/**'],
          // Against hanging only, here too.
          testTimeout: 120_000,
          hookTimeout: 180_000,
          isolate: false,
          maxWorkers: WORKERS_THAT_WAIT,
        },
      },
      {
        resolve: { alias: builtPackages },
        test: {
          name: 'e2e',
          expect: expectation,
          globalSetup: ['testkit/servers/global-setup.ts'],
          include: ['e2e/{api,faults}/**/*.test.ts', 'adapters/*/test/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 240_000,
          maxWorkers: WORKERS_THAT_WAIT,
        },
      },
    ],
  },
});
