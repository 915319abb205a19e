import { type Catalog, type DescribedTable, keyColumnFault } from '../database/index.ts';
import type { Column } from '../domain/index.ts';
import { resourceNames } from './names.ts';
import type { LeftOut } from './proposal.ts';
import type { Relation } from './relations.ts';

/** A table that can be a resource, by its own description. */
export interface KnownTable {
  resource: string;
  relation: Relation;
  key: Column[];
  columns: Column[];
  triggers: readonly string[];
}

const DESCRIBED_AT_ONCE = 4;

/** Asks for each relation, and chooses a key for those that can be resources. */
export async function describeRelations(
  relations: readonly Relation[],
  catalog: Pick<Catalog, 'describeTable'>,
): Promise<{ tables: KnownTable[]; leftOut: LeftOut[] }> {
  const described = new Map<Relation, DescribedTable | null>();
  const left = relations.values();
  const work = async (): Promise<void> => {
    for (const each of left) described.set(each, await catalog.describeTable(each.table));
  };
  await Promise.all(Array.from({ length: DESCRIBED_AT_ONCE }, work));
  const leftOut: LeftOut[] = [];
  const fit: [Relation, DescribedTable, Column[]][] = [];
  for (const relation of relations) {
    const found = described.get(relation) ?? null;
    const chosen = found === null ? 'is not shown to this account' : keyOf(found);
    if (typeof chosen === 'string') leftOut.push({ table: relation.table, why: chosen });
    else if (found !== null) fit.push([relation, found, chosen]);
  }
  const names = resourceNames(fit.map(([relation]) => relation));
  const tables = fit.map(([relation, { columns, sideEffects }, key], index) => ({
    ...{ resource: names[index] ?? '', relation, key, columns },
    triggers: sideEffects.triggers,
  }));
  return { tables, leftOut };
}

/** The primary key, or the shortest unique key that names every row; otherwise why there is none. */
function keyOf({ unfit, primaryKey, uniqueKeys, columns }: DescribedTable): Column[] | string {
  if (unfit !== null) return unfit;
  if (uniqueKeys.length === 0)
    return 'has no primary key and no unique key, so nothing names one of its rows';
  const others = uniqueKeys.filter((key) => key !== primaryKey);
  const inOrder = [
    ...(primaryKey.length > 0 ? [primaryKey] : []),
    ...others.sort((one, other) => one.length - other.length),
  ];
  const reasons: string[] = [];
  for (const names of inOrder) {
    const key = columns.filter(({ name }) => names.includes(name));
    const ordered = names.flatMap((name) => key.find((column) => column.name === name) ?? []);
    const why = keyFault(ordered);
    if (why === null) return ordered;
    reasons.push(`(${names.join(', ')}): ${why}`);
  }
  return `has no key that names each of its rows: ${reasons.join('; ')}`;
}

const MAX_KEY_COLUMNS = 8;

function keyFault(key: readonly Column[]): string | null {
  if (key.length > MAX_KEY_COLUMNS) return `more than ${MAX_KEY_COLUMNS} columns`;
  const nullable = key.find((column) => column.nullable);
  if (nullable !== undefined) return `${nullable.name} may be NULL`;
  for (const column of key) {
    const why = column.unusable ?? keyColumnFault(column);
    if (why !== null) return `${column.name} ${why}`;
  }
  return null;
}
