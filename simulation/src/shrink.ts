/**
 * Makes a failing plan smaller by leaving out parts without which it still fails (delta debugging, after Zeller and
 * Hildebrandt, "Simplifying and isolating failure-inducing input", 2002).
 */
import type { Fault, Mishap, Plan, PlannedOperation } from './plan/plan.ts';
import type { RuleName } from './rules/rules.ts';
import { simulate, type RunOptions } from './simulate.ts';

export interface Shrunk {
  plan: Plan;
  /** The rule that is broken before and after. */
  rule: RuleName;
  /** How many runs it took. */
  tries: number;
}

/** The engine that runs: the broken protection, and the configuration. */
type BrokenEngine = Pick<RunOptions, 'control' | 'verifyIntent' | 'replicated'>;

/** The most runs for shrinking one plan. */
const MAX_TRIES = 1_500;
const CALM = { lose: 0, slow: 0, repeat: 0 };

/** @returns null if the plan does not fail */
export async function shrink(plan: Plan, engine: BrokenEngine): Promise<Shrunk | null> {
  const [first] = (await simulate(plan, engine)).violations;
  if (first === undefined) return null;
  const { rule } = first;
  let tries = 0;
  const fails = async (candidate: Plan): Promise<boolean> => {
    if ((tries += 1) > MAX_TRIES) return false;
    const { violations } = await simulate(candidate, engine);
    return violations.some((violation) => violation.rule === rule);
  };
  let best = await withMishapsNamed(plan, engine, fails);
  for (let size = Infinity; sizeOf(best) < size && tries < MAX_TRIES;) {
    size = sizeOf(best);
    best = await withFewerOperations(best, fails);
    best = await withFewerFaults(best, fails);
    best = await withFewerMishaps(best, fails);
    best = await simplified(best, fails);
  }
  return { plan: best, rule, tries };
}

type Fails = (candidate: Plan) => Promise<boolean>;

/** The number of operations, faults and mishaps in a plan. */
export function sizeOf({ clients, faults, mishaps }: Plan): number {
  const operations = clients.reduce((sum, one) => sum + one.length, 0);
  return operations + faults.length + mishaps.length;
}

/** The plan with its random disturbances as a list of mishaps, which can be made shorter. */
async function withMishapsNamed(plan: Plan, engine: BrokenEngine, fails: Fails): Promise<Plan> {
  const { mishaps } = await simulate(plan, engine);
  const named = { ...plan, hazards: CALM, mishaps };
  return (await fails(named)) ? named : plan;
}

async function withFewerMishaps(plan: Plan, fails: Fails): Promise<Plan> {
  const build = (mishaps: readonly Mishap[]): Plan => ({ ...plan, mishaps: [...mishaps] });
  return build(await fewest(plan.mishaps, (kept) => fails(build(kept))));
}

async function withFewerOperations(plan: Plan, fails: Fails): Promise<Plan> {
  const all = plan.clients.flatMap((operations, client) =>
    operations.map((operation) => ({ client, operation })),
  );
  const build = (kept: readonly { client: number; operation: PlannedOperation }[]): Plan => ({
    ...plan,
    clients: plan.clients.map((_, index) =>
      kept.filter(({ client }) => client === index).map(({ operation }) => operation),
    ),
  });
  return build(await fewest(all, (kept) => fails(build(kept))));
}

async function withFewerFaults(plan: Plan, fails: Fails): Promise<Plan> {
  const build = (faults: readonly Fault[]): Plan => ({ ...plan, faults: [...faults] });
  return build(await fewest(plan.faults, (kept) => fails(build(kept))));
}

/** Simplifies the rest: no random disturbances, correct clocks, long-lived values, no pauses. */
async function simplified(plan: Plan, fails: Fails): Promise<Plan> {
  const { servers, coordinators } = plan.clockRates;
  const trueClocks = {
    coordinators: coordinators.map(() => 1),
    servers: {
      ...servers,
      ...{ cache: 1, database: 1, 'lock 1': 1, 'lock 2': 1, 'lock 3': 1 },
    },
  };
  let best = plan;
  for (const change of [
    { clockRates: trueClocks },
    { valueTtlMs: 60_000 },
    { clients: best.clients.filter((operations) => operations.length > 0) },
  ]) {
    const candidate = { ...best, ...change };
    if (await fails(candidate)) best = candidate;
  }
  return best;
}

/** A part of `all` that still fails, but not without any one of its items (within the limit on tries). */
async function fewest<T>(
  all: readonly T[],
  fails: (kept: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let kept = all;
  for (let pieces = 2; kept.length > 0;) {
    const length = Math.ceil(kept.length / pieces);
    let smaller: readonly T[] | null = null;
    for (let at = 0; at < kept.length && smaller === null; at += length) {
      const candidate = [...kept.slice(0, at), ...kept.slice(at + length)];
      if (await fails(candidate)) smaller = candidate;
    }
    if (smaller !== null) {
      kept = smaller;
      pieces = Math.max(2, pieces - 1);
    } else if (length === 1) break;
    else pieces = Math.min(kept.length, pieces * 2);
  }
  return kept;
}
