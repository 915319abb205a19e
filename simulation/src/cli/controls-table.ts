import { CONTROLS, type Control } from '@lockstep/testkit/controls';
import { drawPlan, plansFor } from '../plan/draw.ts';
import { RULES, type RuleName } from '../rules/rules.ts';
import { simulate } from '../simulate.ts';

/** Rules that need knowledge from inside the world. The others use only the clients' answers. */
const INSIDE: ReadonlySet<RuleName> = new Set<RuleName>([
  ...(['W1', 'W5', 'E9', 'L1', 'L2', 'X5'] as const),
]);

interface Row {
  control: Control;
  failed: number;
  first: number | null;
  /** In how many seeds the clients' answers showed it. */
  seenByClients: number;
  rules: RuleName[];
}

/** Runs every control with the same seeds, and prints a table of how each was caught. */
export async function controlsTable(
  { from, seeds }: { from: number; seeds: number },
  out: (line: string) => void,
): Promise<boolean> {
  out(`| control | caught in, of ${seeds} seeds | first | clients could tell in | rules |`);
  out('| --- | ---: | ---: | ---: | --- |');
  let areAllCaught = true;
  for (const control of CONTROLS) {
    const row = await run(control, from, seeds);
    areAllCaught &&= row.failed > 0;
    const rules = row.rules.map((rule) => `\`${rule}\``).join(', ');
    out(
      `| \`${control}\` | ${row.failed} | ${row.first ?? 'never'} | ${row.seenByClients} | ${rules} |`,
    );
  }
  return areAllCaught;
}

async function run(control: Control, from: number, seeds: number): Promise<Row> {
  const row: Row = { control, failed: 0, first: null, seenByClients: 0, rules: [] };
  const rules = new Set<RuleName>();
  for (let seed = from; seed < from + seeds; seed += 1) {
    const { violations } = await simulate(drawPlan(seed, plansFor(control)), { control });
    if (violations.length === 0) continue;
    row.failed += 1;
    row.first ??= seed;
    if (violations.some(({ rule }) => !INSIDE.has(rule))) row.seenByClients += 1;
    for (const { rule } of violations) rules.add(rule);
  }
  row.rules = (Object.keys(RULES) as RuleName[]).filter((rule) => rules.has(rule));
  return row;
}
