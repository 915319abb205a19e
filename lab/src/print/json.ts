import { answersOf, type Report } from '../explore-strategy.ts';
import type { Trace } from '../explore/explore.ts';

/** A report as `--json` prints it. `traces` has only the broken properties, each with its shortest trace first. */
export function forJson(report: Report) {
  const { name, title, bounds, states, isComplete, traces, weaknesses } = report;
  const found = Object.entries(traces).filter(([, all]) => all.length > 0);
  return {
    name,
    title,
    bounds,
    states,
    complete: isComplete,
    ...answersOf(report),
    weaknesses: weaknesses.map(({ words, isFound }) => ({ words, found: isFound })),
    traces: Object.fromEntries(found.map(([property, all]) => [property, all.map(withoutScenes)])),
  };
}

/** The trace without its scenes, which follow from the steps. */
function withoutScenes({ property, faults, steps, ending }: Trace): Omit<Trace, 'scenes'> {
  return { property, faults, steps, ending };
}
