/** What capture triggers have to note of each table. Pure. */
import { createHash } from 'node:crypto';
import { neededColumns, tablesOf } from '../changelog/index.ts';
import { type Column, type Resource, rulesOf } from '../domain/index.ts';

/** What a trigger notes for one resource. */
export interface CapturedPart {
  resource: string;
  /** The columns whose values it notes, before and after a change. */
  columns: readonly Column[];
  /** Whether the writer itself invalidates what its own write makes wrong, so that nothing is noted of that write. */
  skipsOwn: boolean;
}

/** A table on which triggers are, or should be. */
export interface CapturedTable {
  /** As the configuration names it. */
  name: string;
  /** PostgreSQL: the schema that it was found in. */
  schema?: string;
  parts: readonly CapturedPart[];
  /** The resources whose entries only the triggers invalidate. Without its triggers the table cannot serve them. */
  neededBy: readonly string[];
}

/** The tables behind the resources, as the change log would follow them. */
export function capturedTables(resources: readonly Resource[]): CapturedTable[] {
  return [...tablesOf(resources)].map(([name, changes]) => {
    const own = changes.resources.map((resource): CapturedPart => {
      return part(resource, neededColumns(resource));
    });
    const asked = changes.dependents.map(({ resource, dependency }): CapturedPart => {
      return part(resource, dependency.columns);
    });
    const isWritten = changes.resources.length > 0;
    const leftToTriggers = [
      ...changes.resources.filter((each) => !invalidatesByItself(each)),
      ...changes.dependents
        .map(({ resource }) => resource)
        .filter((each) => !isWritten || !invalidatesByItself(each)),
    ];
    const schema = changes.resources[0]?.schema;
    return {
      name,
      ...(schema === undefined ? {} : { schema }),
      parts: [...own, ...asked],
      neededBy: [...new Set(leftToTriggers.map((each) => each.name))],
    };
  });
}

const part = (resource: Resource, columns: readonly Column[]): CapturedPart => ({
  resource: resource.name,
  columns,
  skipsOwn: invalidatesByItself(resource),
});

const invalidatesByItself = (resource: Resource): boolean =>
  rulesOf(resource).relatedBy === 'writer';

/** Names that the table's triggers alone have, also beside those of another Lockstep on the same server. */
export const captureName = (table: CapturedTable, place: string, what = ''): string =>
  `lockstep_capture_${what}${digestOf([place, table.schema ?? '', table.name])}`;

/** 16 digits. */
export const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
