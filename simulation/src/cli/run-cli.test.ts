import { describe, expect, it } from 'vitest';
import { EXIT, runCli } from './run-cli.ts';

async function run(...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const [out, err]: [string[], string[]] = [[], []];
  let nowMs = 0;
  const code = await runCli(args, {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    nowMs: () => (nowMs += 10),
  });
  return { code, out, err };
}

describe('npm run simulate', () => {
  it('ends with one line of JSON', async () => {
    const { code, out } = await run('--seeds', '3', '--json');
    expect(code).toBe(EXIT.ok);
    const told = JSON.parse(out.at(-1) ?? '') as Record<string, unknown>;
    expect(Object.keys(told)).toEqual([
      ...['seeds', 'operations', 'violations', 'seedsPerSecond', 'control'],
    ]);
    expect(told).toMatchObject({ seeds: 3, violations: 0, control: null });
    expect(told['operations']).toBeGreaterThan(100);
  });

  it('exits with 1 if a control was caught, and shows the shortened run', async () => {
    const { code, out } = await run('--seeds', '5', '--control', 'no-intent', '--json');
    expect(code).toBe(EXIT.violated);
    expect(out.some((line) => line.includes('npm run simulate -- --replay'))).toBe(true);
    expect(out.some((line) => line.includes('VIOLATION W1'))).toBe(true);
    expect(JSON.parse(out.at(-1) ?? '')).toMatchObject({ seeds: 5, control: 'no-intent' });
  });

  it('shows one run event by event', async () => {
    const { code, out } = await run('--replay', '7');
    expect(code).toBe(EXIT.ok);
    expect(out.length).toBeGreaterThan(100);
    expect(out[0]).toMatch(/^ +1 +\d+\.\d\d ms {2}/);
  });

  it.each([
    [['--control', 'nothing'], '--control must be one of: no-fence'],
    [['--seeds', '0'], '--seeds must be a whole number from 1'],
    [['--replay', 'x'], '--replay must be a whole number'],
    [['--what'], "Unknown option '--what'"],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await run(...args);
    expect(code).toBe(EXIT.usage);
    expect(err[0]).toContain(message);
  });

  it('lists its options', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(EXIT.ok);
    expect(out[0]).toContain('release-without-owner');
  });
});
