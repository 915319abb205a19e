/** Compares two configurations, and the resources that were bound from them. */
import type { FieldFault, ReloadReport } from '@lockstep/shared';
import type { Config } from '../config/index.ts';
import type { Resource } from '../domain/index.ts';

/** What a reload has changed; whether its switches are complete is added later. */
export type Reloaded = Omit<ReloadReport, 'settled'>;

/** Whether the database describes both resources in the same way. */
export function isSameTable(one: Resource, other: Resource): boolean {
  const text = ({ epoch: _epoch, pristineBelow: _pristine, ...rest }: Resource): string =>
    textOf(rest);
  return text(one) === text(other);
}

/** Faults for changes outside of the resources, which cannot change while the process runs. */
export function fixedFaults(old: Config, config: Config): FieldFault[] {
  const faults: FieldFault[] = [];
  const compare = (path: string, was: unknown, is: unknown): void => {
    if (JSON.stringify(was) === JSON.stringify(is)) return;
    if (isRecord(was) && isRecord(is)) {
      for (const name of new Set([...Object.keys(was), ...Object.keys(is)]))
        compare(`${path}.${name}`, was[name], is[name]);
      return;
    }
    faults.push({
      path,
      message: 'cannot be changed while the coordinator runs; allowed: what it was, or a restart',
    });
  };
  const { resources: _old, ...fixed } = old;
  const { resources: _new, ...wanted } = config;
  for (const [name, was] of Object.entries(fixed))
    compare(name, was, wanted[name as keyof typeof wanted]);
  return faults;
}

export function reportOf(
  before: ReadonlyMap<string, Resource>,
  adopted: readonly Resource[],
): Reloaded {
  const names = new Set(adopted.map(({ name }) => name));
  const known = adopted.filter(({ name }) => before.has(name));
  const nameOf = ({ name }: Resource): string => name;
  return {
    added: adopted.filter(({ name }) => !before.has(name)).map(nameOf),
    removed: [...before.keys()].filter((name) => !names.has(name)),
    changed: known.filter((each) => textOf(each) !== textOf(before.get(each.name))).map(nameOf),
    switched: known.filter(({ name, epoch }) => before.get(name)?.epoch !== epoch).map(nameOf),
  };
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each));

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const cacheKeyFault = ({
  resource,
  fault,
}: {
  resource: string;
  fault: string;
}): FieldFault => ({ path: `resources.${resource}.cacheKey`, message: fault });
