import { isCached } from '../domain/index.ts';
import type { FieldFault } from '@lockstep/shared';
import type { DependencyConfig, DerivedConfig, ResourceConfig } from './config.ts';
import { checkKeyTemplate, resolveAudit } from './resolve-resource.ts';
import type { Groups, RawComputedResource, RawQueryResource } from './schema.ts';
import { showName } from './settings.ts';

/** A resource that is a query, with its defaults. The rest is checked when it is bound to the database. */
export function resolveQuery(
  name: string,
  raw: RawQueryResource,
  auditDefaults: Groups['audit'] | undefined,
  faults: FieldFault[],
): ResourceConfig {
  const audit = isCached(raw)
    ? resolveAudit(`resources.${name}`, raw.audit, auditDefaults, faults)
    : null;
  const source = { kind: 'query', text: raw.query, maxRows: raw.maxRows } as const;
  // The negative TTL is never used, because an answer without rows is a value like any other.
  return { ...resolveDerived(name, raw, source, faults), negativeTtlMs: raw.ttl, audit };
}

/** A computed resource, with its defaults. There is nothing on the coordinator to audit its entries with. */
export function resolveComputed(
  name: string,
  raw: RawComputedResource,
  faults: FieldFault[],
): ResourceConfig {
  const derived = resolveDerived(name, raw, { kind: 'loader' }, faults);
  if (raw.level === 'local') {
    const message =
      'is "local" for a computed resource, whose values clients read with their leases; allowed: redis';
    faults.push({ path: `resources.${name}.level`, message });
  }
  return { ...derived, negativeTtlMs: raw.negativeTtl, audit: null };
}

function resolveDerived(
  name: string,
  raw: RawQueryResource | RawComputedResource,
  source: DerivedConfig['source'],
  faults: FieldFault[],
): Omit<ResourceConfig, 'negativeTtlMs' | 'audit'> {
  const key = [...raw.parameters.keys()];
  const cacheKey = raw.cacheKey ?? [name, ...key.map((parameter) => `{${parameter}}`)].join(':');
  checkKeyTemplate(`resources.${name}.cacheKey`, cacheKey, key, faults);
  const dependsOn = raw.dependsOn.map((dependency, index) =>
    resolveDependency(`resources.${name}.dependsOn.${index}`, dependency, key, faults),
  );
  return {
    name,
    table: '',
    key,
    cacheKey,
    derived: {
      source,
      parameters: [...raw.parameters].map(([parameter, type]) => ({ name: parameter, type })),
      dependsOn,
    },
    ttlMs: raw.ttl,
    ttlJitter: raw.ttlJitter,
    policy: raw.policy,
    onWrite: 'delete',
    invalidates: [],
    secondDeleteAfterMs: null,
    refresh: null,
    level: raw.level,
    format: 'entry',
    rollout: 'own',
  };
}

function resolveDependency(
  path: string,
  { resource, table, key: mapping }: RawQueryResource['dependsOn'][number],
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
 * Checks the dependencies of queries: each must name a resource over a table, and either Lockstep writes the table, or
 * changes of it by other programs are noticed.
 */
export function dependencyFaults(
  resources: readonly ResourceConfig[],
  isNoticed: boolean,
): FieldFault[] {
  const faults: FieldFault[] = [];
  for (const { name, derived } of resources) {
    for (const [index, { resource }] of (derived?.dependsOn ?? []).entries()) {
      const path = `resources.${name}.dependsOn.${index}`;
      const named = resources.find((each) => each.name === resource);
      if (resource !== undefined && (named === undefined || named.derived !== undefined)) {
        const allowed = resources.filter((each) => each.derived === undefined);
        const names = allowed.map((each) => each.name).join(', ') || 'none, there is no other';
        const wrong = named === undefined ? 'is not configured' : 'is derived itself';
        faults.push({ path: `${path}.resource`, message: `${wrong}; allowed: ${names}` });
      }
    }
  }
  if (isNoticed) return faults;
  for (const { path, table } of unwrittenTables(resources)) {
    const message = `is ${table}, which no resource writes, while changes by other programs are not noticed; allowed: database.capture log or triggers, or a resource over ${table}`;
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
