import { defineConfig } from 'vitest/config';

/** The tests that judge a mutant of the value checker: no processes, always the same histories. */
export default defineConfig({
  test: {
    include: ['src/values/*.test.ts', 'src/jepsen-etcd.test.ts'],
    testTimeout: 20_000,
  },
});
