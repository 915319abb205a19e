/** What configuration checks have in common: what they look for, and how they report what is not there. */
import type { CacheKeyTemplate, Column, Resource } from '../../domain/index.ts';
import type { Catalog, DescribedTable } from '../port.ts';

/** Reports a fault of one resource: the field, what is wrong with it and what is allowed. */
export type Fault = (field: string, message: string) => void;

/** The table, if rows of it can be cached. @param shown how the configuration names it */
export async function findTable(
  catalog: Catalog,
  name: string,
  shown: string,
  fault: (message: string) => void,
): Promise<DescribedTable | null> {
  const table = name === '' ? null : await catalog.describeTable(name);
  if (table === null) fault(`there is no table ${shown}; allowed: a table of the database`);
  else if (table.unfit !== null) fault(`${name} ${table.unfit}`);
  else return table;
  return null;
}

export function findColumn(
  { columns }: DescribedTable,
  tableName: string,
  name: string,
  fault: (message: string) => void,
): Column | null {
  const column = columns.find((each) => each.name === name) ?? null;
  if (column === null)
    fault(`there is no column ${name} in ${tableName}; allowed: ${namesOf(columns)}`);
  return column;
}

export const namesOf = (columns: readonly { name: string }[]): string =>
  columns.map(({ name }) => name).join(', ');

/** What the function returns; where it throws, the message is a fault. */
export function parsed<T>(parse: () => T, fault: (message: string) => void): T | null {
  try {
    return parse();
  } catch (error) {
    fault(error instanceof Error ? error.message : String(error));
    return null;
  }
}

/**
 * The resource, whose writes invalidate these cache keys too.
 * @param hidden called for each template that names columns which the resource leaves out
 */
export function alsoInvalidating<Item extends { template: CacheKeyTemplate }>(
  resource: Resource,
  items: readonly Item[],
  hidden: (item: Item, names: string) => void,
): Resource {
  const all = new Map(resource.invalidates.map((template) => [template.text, template]));
  for (const item of items) {
    const names = item.template.columns.filter(
      (name) => !resource.columns.some((column) => column.name === name),
    );
    if (names.length === 0) all.set(item.template.text, item.template);
    else hidden(item, names.join(', '));
  }
  return { ...resource, invalidates: [...all.values()] };
}
