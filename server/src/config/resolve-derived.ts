import { isCached } from '../domain/index.ts';
import type { FieldFault } from '@lockstep/shared';
import type { DependencyConfig, ResourceConfig } from './config.ts';
import { checkKeyTemplate, resolveAudit } from './resolve-resource.ts';
import type { Groups, RawDerivedResource } from './schema.ts';
import { showName } from './settings.ts';

/** A resource that is a query, with its defaults. The rest is checked when it is bound to the database. */
export function resolveDerived(
  name: string,
  raw: RawDerivedResource,
  auditDefaults: Groups['audit'] | undefined,
  faults: FieldFault[],
): ResourceConfig {
  const path = `resources.${name}`;
  const key = [...raw.parameters.keys()];
  const cacheKey = raw.cacheKey ?? [name, ...key.map((parameter) => `{${parameter}}`)].join(':');
  checkKeyTemplate(`${path}.cacheKey`, cacheKey, key, faults);
  const dependsOn = raw.dependsOn.map((dependency, index) =>
    resolveDependency(`${path}.dependsOn.${index}`, dependency, key, faults),
  );
  return {
    name,
    table: '',
    key,
    cacheKey,
    derived: {
      query: raw.query,
      parameters: [...raw.parameters].map(([parameter, type]) => ({ name: parameter, type })),
      maxRows: raw.maxRows,
      dependsOn,
    },
    ttlMs: raw.ttl,
    ttlJitter: raw.ttlJitter,
    // Never used, because an answer without rows is a value like any other.
    negativeTtlMs: raw.ttl,
    policy: raw.policy,
    onWrite: 'delete',
    invalidates: [],
    audit: isCached(raw) ? resolveAudit(path, raw.audit, auditDefaults, faults) : null,
    secondDeleteAfterMs: null,
    refresh: null,
    level: raw.level,
    format: 'entry',
  };
}

function resolveDependency(
  path: string,
  { resource, table, key: mapping }: RawDerivedResource['dependsOn'][number],
  key: readonly string[],
  faults: FieldFault[],
): DependencyConfig {
  if ((resource === undefined) === (table === undefined)) {
    const wrong = resource === undefined ? 'names neither' : 'names both';
    faults.push({ path, message: `${wrong}; allowed: either resource or table` });
  }
  const missing = key.filter((parameter) => !mapping.has(parameter));
  const unknown = [...mapping.keys()].filter((parameter) => !key.includes(parameter));
  if (missing.length > 0) {
    const message = `does not name a column for ${missing.join(', ')}; allowed: a column for every parameter (${key.join(', ')})`;
    faults.push({ path: `${path}.key`, message });
  }
  for (const parameter of unknown) {
    const message = `is no parameter; allowed: ${key.join(', ')}`;
    faults.push({ path: `${path}.key.${showName(parameter)}`, message });
  }
  return {
    ...(resource === undefined ? {} : { resource }),
    ...(table === undefined ? {} : { table }),
    key: Object.fromEntries(mapping),
  };
}

/**
 * Checks the dependencies of queries: each must name a resource over a table, and either Lockstep writes the table or
 * the change log is followed, so that changes of it are noticed.
 */
export function dependencyFaults(
  resources: readonly ResourceConfig[],
  isLogFollowed: boolean,
): FieldFault[] {
  const faults: FieldFault[] = [];
  for (const { name, derived } of resources) {
    for (const [index, { resource }] of (derived?.dependsOn ?? []).entries()) {
      const path = `resources.${name}.dependsOn.${index}`;
      const named = resources.find((each) => each.name === resource);
      if (resource !== undefined && (named === undefined || named.derived !== undefined)) {
        const allowed = resources.filter((each) => each.derived === undefined);
        const names = allowed.map((each) => each.name).join(', ') || 'none, there is no other';
        const wrong = named === undefined ? 'is not configured' : 'is a query itself';
        faults.push({ path: `${path}.resource`, message: `${wrong}; allowed: ${names}` });
      }
    }
  }
  if (isLogFollowed) return faults;
  for (const { path, table } of unwrittenTables(resources)) {
    const message = `is ${table}, which no resource writes, while the change log is off; allowed: changeLog.mode on, or a resource over ${table}`;
    faults.push({ path, message });
  }
  return faults;
}

/** The tables that cached queries depend on and no resource is over: only the change log shows their changes. */
export function unwrittenTables(
  resources: readonly ResourceConfig[],
): { path: string; table: string }[] {
  const written = new Set(resources.map(({ table }) => table));
  return resources
    .filter(isCached)
    .flatMap(({ name, derived }) =>
      (derived?.dependsOn ?? []).flatMap(({ table }, index) =>
        table === undefined || written.has(table)
          ? []
          : [{ path: `resources.${name}.dependsOn.${index}.table`, table }],
      ),
    );
}
