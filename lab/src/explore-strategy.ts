/** The lab's interface for a page or a program: explores one strategy by name, within bounds. */
import { explore, type Progress, type Trace } from './explore/explore.ts';
import { PROPERTIES, type Property } from './model/process.ts';
import type { Bounds, Strategy, Weakness } from './model/strategy.ts';
import { STRATEGIES } from './strategies/index.ts';
import { VARIANTS } from './strategies/variants.ts';

/** A request that cannot be explored: a name that is not there, or a bound that is out of range. */
export class LabError extends Error {}

/** What the explorer found of one strategy. */
export interface Report {
  name: string;
  title: string;
  description: string;
  bounds: Bounds;
  states: number;
  /** False if the bound on states was reached. What was found is then true, but a `no` is not proved. */
  isComplete: boolean;
  /** The traces that break each property, the shortest first; empty: none was found. */
  traces: Record<Property, Trace[]>;
  /** The strategy's documented weaknesses, and whether each was found. */
  weaknesses: (Weakness & { isFound: boolean })[];
}

const LIMITS: Record<keyof Bounds, readonly [least: number, most: number]> = {
  writers: [0, 4],
  readers: [0, 4],
  faults: [0, 3],
  recoveries: [0, 2],
  maxStates: [1, 10_000_000],
};

/**
 * Explores a strategy or a variant.
 * @param tell is called now and then with the progress
 * @throws LabError if no strategy has that name, or a bound is out of range.
 */
export function exploreStrategy(
  name: string,
  bounds: Partial<Bounds> = {},
  tell?: (progress: Progress) => void,
): Report {
  const strategy = [...STRATEGIES, ...VARIANTS].find((it) => it.name === name);
  if (strategy === undefined) {
    const names = [...STRATEGIES, ...VARIANTS].map((it) => it.name).join(', ');
    throw new LabError(`there is no strategy ${name}; there are: ${names}`);
  }
  return reportOn(strategy, checked({ ...strategy.bounds, ...bounds }), tell);
}

function reportOn(strategy: Strategy, bounds: Bounds, tell?: (progress: Progress) => void): Report {
  const { name, title, description, weaknesses } = strategy;
  const { states, isComplete, traces } = explore(strategy, bounds, tell);
  const of = (property: Property): Trace[] => traces.filter((it) => it.property === property);
  const isTold = (trace: Trace): boolean => weaknesses.some((it) => isTraceOf(it, trace));
  const telling = (property: Property): Trace[] =>
    of(property).filter((trace, _, all) => isTold(trace) || !hasShorter(trace, all));
  return {
    name,
    title,
    description,
    bounds,
    states,
    isComplete,
    traces: {
      staleForGood: telling('staleForGood'),
      staleForAWhile: telling('staleForAWhile'),
      lostWrite: telling('lostWrite'),
      neverWas: telling('neverWas'),
    },
    weaknesses: weaknesses.map((it) => ({
      ...it,
      isFound: traces.some((trace) => isTraceOf(it, trace)),
    })),
  };
}

/** Whether another trace needs fewer faults and no more steps: then this trace's faults do not matter. */
function hasShorter(trace: Trace, all: readonly Trace[]): boolean {
  return all.some(
    (other) =>
      other.faults.length < trace.faults.length &&
      other.steps.length <= trace.steps.length &&
      other.faults.every((fault) => trace.faults.includes(fault)),
  );
}

function isTraceOf({ property, faults }: Weakness, trace: Trace): boolean {
  if (property !== trace.property) return false;
  return (
    faults.every((fault) => trace.faults.includes(fault)) &&
    trace.faults.every((fault) => faults.includes(fault))
  );
}

function checked(bounds: Bounds): Bounds {
  for (const [name, [least, most]] of Object.entries(LIMITS)) {
    const value: unknown = Reflect.get(bounds, name);
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) {
      continue;
    }
    throw new LabError(`${name} must be a whole number from ${least} to ${most}`);
  }
  return bounds;
}

/** Whether each property was found broken. */
export const answersOf = ({ traces }: Report): Record<Property, boolean> => ({
  staleForGood: traces.staleForGood.length > 0,
  staleForAWhile: traces.staleForAWhile.length > 0,
  lostWrite: traces.lostWrite.length > 0,
  neverWas: traces.neverWas.length > 0,
});

/** Every trace of a report, in the order of the questions. */
export const tracesOf = ({ traces }: Report): Trace[] =>
  PROPERTIES.flatMap((property) => traces[property]);
