import { expect, it } from 'vitest';
import { EXIT, runCli } from './run-cli.ts';

const SEEDS = 1_000;

it(
  'W1 W4 W5 W6 W8 W9 W12 R2 R4 R6 R7: a thousand simulated worlds hold every rule',
  { timeout: 900_000 },
  async () => {
    const out: string[] = [];
    const code = await runCli(['--seeds', String(SEEDS), '--json'], {
      out: (line) => out.push(line),
      err: (line) => out.push(line),
      nowMs: () => performance.now(),
    });
    expect(out.slice(0, -1).join('\n')).toContain(', 0 failed');
    expect(code).toBe(EXIT.ok);
    const report = JSON.parse(out.at(-1) ?? '') as { violations: number };
    expect(report.violations).toBe(0);
  },
);
