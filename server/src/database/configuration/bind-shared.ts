/**
 * Resources over one table: those that name its rows by the same columns share them (`domain/shared-rows.ts`), and the
 * others invalidate each other's entries by the row's columns before and after a write. A strict entry needs more than
 * that: its intent must stand before the transaction, when nobody knows yet which key of another kind the row has.
 */
import { createHash } from 'node:crypto';
import type { FieldFault } from '@lockstep/shared';
import {
  isCached,
  isDerived,
  isInvalidatedByOthers,
  isStrict,
  type Resource,
  rulesOf,
  SharedRows,
} from '../../domain/index.ts';
import { alsoInvalidating } from './faults.ts';
import type { RowNames } from './names.ts';

/** A table as the catalog knows it; a partition counts as its parent. */
export interface TableIdentity {
  id: string;
  /** Its name with its schema. */
  name: string;
}

interface Rows {
  /** By table and key columns. */
  id: string;
  table: string;
  /** The key columns' names, sorted. */
  key: readonly string[];
  members: Resource[];
}

/** Connects resources that share one table. Faults are reported with the resources' names. */
export async function bindShared(
  resources: readonly Resource[],
  identityOf: (table: string) => TableIdentity,
  names: RowNames,
  faults: FieldFault[],
): Promise<Resource[]> {
  const linked = linkTables(resources, identityOf, faults);
  const known = await names.known();
  const taken = new Map([...known.names].map(([id, name]) => [name, id]));
  for (const rows of rowsOf(linked, identityOf)) {
    const [first] = rows.members;
    if (first === undefined) continue;
    const owner = taken.get(first.name);
    const isOwn = rows.members.length === 1 && (owner === undefined || owner === rows.id);
    let name = known.names.get(rows.id);
    if (name === undefined && isOwn) continue;
    if (name === undefined) {
      const wanted = firstName(rows.members, known.resources);
      name = await names.keep(
        rows,
        taken.has(wanted) ? `${wanted}.${rows.id.slice(0, 8)}` : wanted,
      );
    }
    taken.set(name, rows.id);
    for (const member of rows.members) {
      const places = rows.key.map((column) =>
        member.keyColumns.findIndex((each) => each.name === column),
      );
      const siblings = rows.members.filter((each) => each !== member);
      member.shared = new SharedRows(name, places, siblings);
    }
  }
  return linked;
}

/** The name that the rows have had: a strict resource's that was there before, or any that was, or a strict one's. */
function firstName(members: readonly Resource[], earlier: ReadonlySet<string>): string {
  const isEarlier = ({ name }: Resource): boolean => earlier.has(name);
  const first =
    members.find((each) => isEarlier(each) && isStrict(each)) ??
    members.find(isEarlier) ??
    members.find(isStrict) ??
    members[0];
  return first?.name ?? '';
}

function rowsOf(
  resources: readonly Resource[],
  identityOf: (table: string) => TableIdentity,
): Rows[] {
  const all = new Map<string, Rows>();
  for (const resource of resources) {
    if (isDerived(resource)) continue;
    const { name: table } = identityOf(resource.table);
    const key = resource.keyColumns.map(({ name }) => name).sort();
    const id = createHash('sha256')
      .update(JSON.stringify([table, ...key]))
      .digest('hex');
    const rows = all.get(id) ?? { id, table, key, members: [] };
    rows.members.push(resource);
    all.set(id, rows);
  }
  return [...all.values()];
}

const keyOf = ({ keyColumns }: Resource): string =>
  JSON.stringify(keyColumns.map(({ name }) => name).sort());

/** Copies of the resources, each with the templates of what its writes make wrong in others over its table. */
function linkTables(
  resources: readonly Resource[],
  identityOf: (table: string) => TableIdentity,
  faults: FieldFault[],
): Resource[] {
  const tables = new Map<string, Resource[]>();
  for (const resource of resources) {
    if (isDerived(resource)) continue;
    const { id } = identityOf(resource.table);
    tables.set(id, [...(tables.get(id) ?? []), resource]);
  }
  return resources.map((resource) => {
    const others = isDerived(resource)
      ? []
      : (tables.get(identityOf(resource.table).id) ?? []).filter((each) => each !== resource);
    return others.length === 0 ? { ...resource } : linkOne(resource, others, faults);
  });
}

function linkOne(resource: Resource, others: readonly Resource[], faults: FieldFault[]): Resource {
  const path = `resources.${resource.name}`;
  const isSame = (other: Resource): boolean => keyOf(other) === keyOf(resource);
  const strict = others.find((other) => isStrict(other) && !isSame(other));
  if (strict !== undefined && !isCached(resource))
    return { ...resource, writtenThrough: strict.name };
  if (strict !== undefined) faults.push({ path: `${path}.key`, message: apart(resource, strict) });
  const invalidated = others.flatMap((other) => {
    const own = !isSame(other) && isInvalidatedByOthers(other) ? [other.cacheKey] : [];
    return [...own, ...other.invalidates].map((template) => ({ other, template }));
  });
  return alsoInvalidating(resource, invalidated, ({ other, template }, names) => {
    if (rulesOf(resource).relatedBy !== 'writer') return;
    const message = `leaves out ${names}, by which ${other.name} over the same table names cache keys (${template.text}), so that a write could not invalidate them; allowed: with ${names}`;
    faults.push({ path: `${path}.columns`, message });
  });
}

function apart(resource: Resource, strict: Resource): string {
  const columns = ({ keyColumns }: Resource): string =>
    keyColumns.map(({ name }) => name).join(', ');
  return `names the rows of ${resource.table} by ${columns(resource)} (policy ${resource.policy}), and ${strict.name}, which is strict, by ${columns(strict)}: a write through one could not put an intent on the entry of the other; allowed: the same key columns, or ${resource.name} as a query with dependsOn on ${strict.name}, or with policy none (it is then read only)`;
}
