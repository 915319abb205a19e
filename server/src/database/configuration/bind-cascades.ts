/** Which foreign keys lead from a resource's table to rows that others have cached. Pure. */
import type { FieldFault } from '@lockstep/shared';
import {
  type Cascade,
  type Dependency,
  type DerivedResource,
  type ForeignKeyAction,
  invalidatesOwn,
  isDerived,
  type Resource,
  rulesOf,
} from '../../domain/index.ts';

/**
 * Gives every resource the foreign keys that change cached rows with its own.
 * @param idOf which table a name stands for
 */
export function bindCascades(
  resources: readonly Resource[],
  actions: readonly ForeignKeyAction[],
  idOf: (table: string) => string,
  faults: FieldFault[],
): Resource[] {
  if (actions.length === 0) return [...resources];
  const cascades = actions.map((action): Cascade => {
    const over = resources.filter(
      (resource) => !isDerived(resource) && idOf(resource.table) === action.child,
    );
    for (const resource of over) checkKey(resource, action, faults);
    return {
      ...action,
      resources: over.filter(isConcerned).map(({ name }) => name),
      dependents: over.length > 0 ? [] : dependentsOf(resources, action.child, idOf),
    };
  });
  return resources.map((resource) => {
    if (isDerived(resource)) return resource;
    const table = idOf(resource.table);
    const keys = leadingFrom(table, cascades);
    return keys.length === 0 ? resource : { ...resource, cascades: { table, keys } };
  });
}

/** Whether a row that somebody else changes makes an entry wrong, which no later run rewrites by itself. */
const isConcerned = (resource: Resource): boolean =>
  rulesOf(resource).otherWrites !== 'left' || resource.invalidates.length > 0;

function dependentsOf(
  resources: readonly Resource[],
  table: string,
  idOf: (table: string) => string,
): Dependency[] {
  return resources
    .filter((resource): resource is DerivedResource => isDerived(resource))
    .filter(invalidatesOwn)
    .flatMap(({ derivation }) => derivation.dependsOn.filter((each) => idOf(each.table) === table));
}

/** Those behind the table, but for such as lead to nothing that is cached. */
function leadingFrom(table: string, cascades: readonly Cascade[]): Cascade[] {
  const useful = new Set(
    cascades.filter(({ resources, dependents }) => resources.length + dependents.length > 0),
  );
  const tables = new Set([table]);
  for (let size = -1; size < useful.size + tables.size;) {
    size = useful.size + tables.size;
    for (const cascade of cascades) {
      if ([...useful].some(({ parent }) => parent === cascade.child)) useful.add(cascade);
      if (tables.has(cascade.parent)) tables.add(cascade.child);
    }
  }
  return cascades.filter((cascade) => useful.has(cascade) && tables.has(cascade.parent));
}

/** Which key a row gets must be known before: a default is the database's own word. */
function checkKey(resource: Resource, action: ForeignKeyAction, faults: FieldFault[]): void {
  if (action.onUpdate !== 'default' && action.onDelete !== 'default') return;
  const own = action.columns
    .map(({ child }) => child)
    .filter((name) => resource.keyColumns.some((column) => column.name === name));
  if (own.length === 0) return;
  faults.push({
    path: `resources.${resource.name}.key`,
    message: `holds ${own.join(', ')}, which the foreign key ${action.name} sets to its default; allowed: cascade, no action or restrict`,
  });
}
