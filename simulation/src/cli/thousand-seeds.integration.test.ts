import { expect, it } from 'vitest';
import { EXIT, runCli } from './run-cli.ts';

const SEEDS = 1_000;
/** A run that is slower than this is no use before every commit. */
const LEAST_SEEDS_PER_SECOND = 5;

it(
  'W1 W4 W5 W6 W8 W9 W12 R2 R4 R6 R7: a thousand simulated worlds hold every rule',
  { timeout: 400_000 },
  async () => {
    const out: string[] = [];
    const code = await runCli(['--seeds', String(SEEDS), '--json'], {
      out: (line) => out.push(line),
      err: (line) => out.push(line),
      nowMs: () => performance.now(),
    });
    expect(out.slice(0, -1).join('\n')).toContain(', 0 failed');
    expect(code).toBe(EXIT.ok);
    const told = JSON.parse(out.at(-1) ?? '') as { violations: number; seedsPerSecond: number };
    expect(told.violations).toBe(0);
    expect(told.seedsPerSecond).toBeGreaterThan(LEAST_SEEDS_PER_SECOND);
  },
);
