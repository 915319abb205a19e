/** The tables whose foreign keys say which rows of resources the database changes by itself. */
import type { FieldFault } from '@lockstep/shared';
import type { ForeignKeyAction, Resource } from '../../domain/index.ts';
import type { OpenedTable } from '../port.ts';
import { leadingTo } from './table-states.ts';

/**
 * The tables, quoted, from which a change can come to rows of a resource. Where one of them is hidden from this account,
 * deletes that pass through it would not be noticed, and the resource has a fault.
 */
export function foreignKeyTables(
  resources: readonly Resource[],
  found: {
    actions: readonly ForeignKeyAction[];
    opened: readonly OpenedTable[];
    idOf: (table: string) => string;
  },
  faults: FieldFault[],
): string[] {
  const lookedAt = new Set<string>();
  for (const { name, table, derivation } of resources) {
    if (derivation !== undefined) continue;
    const parents = new Set(
      leadingTo(found.idOf(table), found.actions).map(({ parent }) => parent),
    );
    for (const { id, table: parent, isHidden } of found.opened) {
      if (!parents.has(id)) continue;
      lookedAt.add(parent);
      if (!isHidden) continue;
      const message = `changes with rows of ${parent} by a foreign key, and this account may not see by which foreign keys those change, so that deletes which reach it that way would not be noticed; allowed: grant select on ${parent}`;
      faults.push({ path: `resources.${name}.table`, message });
    }
  }
  return [...lookedAt];
}
