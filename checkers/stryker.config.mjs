// @ts-check
/**
 * `npm run mutate`: changes the value checker's source in every small way and runs its tests on each. What survives is
 * either a gap in the tests or a change that makes no difference; docs/checkers.md says which.
 */
export default {
  mutate: ['src/values/*.ts', '!src/values/*.test.ts', 'src/repeats.ts'],
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.mutation.config.ts', related: false },
  plugins: ['@stryker-mutator/vitest-runner'],
  coverageAnalysis: 'perTest',
  reporters: ['clear-text', 'progress-append-only', 'json'],
  jsonReporter: { fileName: '.stryker-tmp/report.json' },
  tempDirName: '.stryker-tmp',
  concurrency: 2,
  timeoutMS: 20_000,
  // A mutant that searches without end, or needs more memory, is found by its timeout.
  ignoreStatic: true,
};
