import { writeFileSync } from 'node:fs';
import { drawPlan } from '../plan/draw.ts';
import type { Plan } from '../plan/plan.ts';
import { RULES } from '../rules/rules.ts';
import type { Violation } from '../rules/referee.ts';
import { shrink, sizeOf } from '../shrink.ts';
import { simulate, type RunOptions } from '../simulate.ts';
import { controlsTable } from './controls-table.ts';
import { HELP, readArguments, UsageError, type Arguments } from './arguments.ts';

export const EXIT = { ok: 0, violated: 1, usage: 2 } as const;

/** The environment of the command line. */
export interface CliPorts {
  out: (line: string) => void;
  err: (line: string) => void;
  /** A monotonic clock, in ms. */
  nowMs: () => number;
}

const PROGRESS_EVERY_MS = 5_000;
const MAX_SHOWN = 5;

/** Runs the command line. Returns its exit code. */
export async function runCli(args: readonly string[], ports: CliPorts): Promise<number> {
  try {
    const asked = readArguments(args);
    if (asked === null) {
      ports.out(HELP);
      return EXIT.ok;
    }
    if (asked.controls) return (await controlsTable(asked, ports.out)) ? EXIT.ok : EXIT.violated;
    return asked.replay === null
      ? await runSeeds(asked, ports)
      : await replay(asked.replay, asked, ports);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    ports.err(`simulate: ${error.message}`);
    return EXIT.usage;
  }
}

const HOUR_MS = 3_600_000;

async function runSeeds(asked: Arguments, ports: CliPorts): Promise<number> {
  const { seeds, from, control } = asked;
  const startedAtMs = ports.nowMs();
  const total = { operations: 0, events: 0, violations: 0, failed: 0, lastedMs: 0 };
  let firstFailed: number | null = null;
  let toldAtMs = startedAtMs;
  const perSecond = (done: number): number =>
    Math.round((done / Math.max(1, ports.nowMs() - startedAtMs)) * 10_000) / 10;
  for (let done = 0; done < seeds; done += 1) {
    const seed = from + done;
    const { operations, events, violations, lastedMs } = await simulate(
      planOf(seed, asked),
      engineOf(asked),
    );
    total.operations += operations;
    total.events += events;
    total.lastedMs += lastedMs;
    total.violations += violations.length;
    if (violations.length > 0) {
      total.failed += 1;
      firstFailed ??= seed;
      if (total.failed <= MAX_SHOWN) tellViolations(seed, violations, ports);
    }
    if (ports.nowMs() - toldAtMs > PROGRESS_EVERY_MS && !asked.json) {
      toldAtMs = ports.nowMs();
      ports.out(`${done + 1} seeds, ${perSecond(done + 1)} a second, ${total.failed} failed`);
    }
  }
  const rate = perSecond(seeds);
  const seconds = ((ports.nowMs() - startedAtMs) / 1000).toFixed(1);
  ports.out(
    `${seeds} seeds, ${total.operations} operations, ${total.events} events, ` +
      `${(total.lastedMs / HOUR_MS).toFixed(2)} h of the worlds’ time in ${seconds} s: ` +
      `${rate} seeds a second, ${total.failed} failed`,
  );
  if (firstFailed !== null) {
    ports.out(`To see the first one again: ${replayCommand(firstFailed, asked)}`);
    if (asked.shrink) await showShrunk(planOf(firstFailed, asked), asked, ports);
  }
  if (asked.json) {
    const { operations, violations } = total;
    ports.out(JSON.stringify({ seeds, operations, violations, seedsPerSecond: rate, control }));
  }
  return total.failed > 0 ? EXIT.violated : EXIT.ok;
}

async function replay(seed: number, asked: Arguments, ports: CliPorts): Promise<number> {
  const { control, brief } = asked;
  const result = await simulate(planOf(seed, asked), {
    ...engineOf(asked),
    trace: ports.out,
    briefly: brief,
  });
  if (asked.history !== null) writeFileSync(asked.history, `${result.history.join('\n')}\n`);
  const { operations, events, violations, lastedMs } = result;
  ports.out(
    `Seed ${seed}: ${operations} operations, ${events} events, ${(lastedMs / 1000).toFixed(2)} s of the world's time`,
  );
  tellViolations(seed, violations, ports);
  if (violations.length > 0 && asked.shrink) await showShrunk(result.plan, asked, ports);
  if (asked.json) {
    const { length } = violations;
    ports.out(
      JSON.stringify({ seeds: 1, operations, violations: length, seedsPerSecond: null, control }),
    );
  }
  return violations.length > 0 ? EXIT.violated : EXIT.ok;
}

async function showShrunk(plan: Plan, asked: Arguments, ports: CliPorts): Promise<void> {
  ports.out(`Making seed ${plan.seed} smaller…`);
  const shrunk = await shrink(plan, engineOf(asked));
  if (shrunk === null) return;
  ports.out(
    `From ${sizeOf(plan)} operations and faults to ${sizeOf(shrunk.plan)}, in ${shrunk.tries} runs. ` +
      `Broken is ${shrunk.rule}: ${RULES[shrunk.rule]}. All that happens:`,
  );
  const { violations } = await simulate(shrunk.plan, {
    ...engineOf(asked),
    trace: ports.out,
    briefly: true,
    untilViolated: shrunk.rule,
  });
  tellViolations(plan.seed, violations, ports);
}

function tellViolations(seed: number, violations: readonly Violation[], ports: CliPorts): void {
  for (const { rule, key, atMs, message } of violations.slice(0, MAX_SHOWN)) {
    const where = key === '' ? '' : `${key}: `;
    ports.out(`seed ${seed}, ${atMs.toFixed(1)} ms: ${rule} (${RULES[rule]}) ${where}${message}`);
  }
}

function replayCommand(
  seed: number,
  { control, failovers, forgetful, local, together, verifyIntent }: Arguments,
): string {
  return [
    `npm run simulate -- --replay ${seed}`,
    ...(control === null ? [] : [`--control ${control}`]),
    ...(forgetful ? ['--forgetful'] : []),
    ...(together ? ['--together'] : []),
    ...(local ? ['--local'] : []),
    ...(verifyIntent ? ['--verify-intent'] : []),
    ...(failovers === null ? [] : [`--failovers ${failovers}`]),
  ].join(' ');
}

const engineOf = ({ control, failovers, verifyIntent }: Arguments): RunOptions => ({
  ...{ control, verifyIntent },
  replicated: failovers,
});

const planOf = (seed: number, { failovers, forgetful, local, together }: Arguments): Plan =>
  drawPlan(seed, { forgetful, local, together, failovers: failovers !== null });
