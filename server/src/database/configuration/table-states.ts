/** What the catalog says of the tables that each resource's entries are made of, as one digest. Pure. */
import { createHash } from 'node:crypto';
import {
  type ForeignKeyAction,
  isDerived,
  type Resource,
  type TableState,
} from '../../domain/index.ts';
import type { DescribedTable } from '../port.ts';

export interface CatalogFacts {
  /** By the names that the configuration has for them. */
  tables: ReadonlyMap<string, DescribedTable>;
  actions: readonly ForeignKeyAction[];
  /** By table id, as `Catalog.storages` has them. */
  storages: ReadonlyMap<string, string>;
}

/** Gives every resource the state of its tables. */
export function withTableStates(resources: readonly Resource[], facts: CatalogFacts): Resource[] {
  const texts = new Map<string, string>();
  const textOf = (name: string): string => {
    const text = texts.get(name) ?? tableText(name, facts);
    texts.set(name, text);
    return text;
  };
  return resources.map((resource) => {
    const names = tableNamesOf(resource);
    const servers = names.map((name) => facts.tables.get(name)?.storage.server ?? '');
    const tables = stateOf(servers[0] ?? '', names.map(textOf));
    return Object.assign(resource, { tables });
  });
}

/** The state of a table that does not fit its resource any more. */
export const unfitState = (server: string): TableState => ({ server, digest: 'unfit' });

const tableNamesOf = (resource: Resource): string[] =>
  isDerived(resource) ? resource.derivation.dependsOn.map(({ table }) => table) : [resource.table];

function stateOf(server: string, texts: readonly string[]): TableState {
  const digest = createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 16);
  return { server, digest };
}

function tableText(name: string, { tables, actions, storages }: CatalogFacts): string {
  const table = tables.get(name);
  if (table === undefined) return '';
  const { id, root, storage, sideEffects } = table;
  const keys = leadingTo(root.id, actions).map((action) => JSON.stringify(action));
  return JSON.stringify([id, storage.text, storages.get(id) ?? '', sideEffects, keys.sort()]);
}

/** The foreign keys by which a change elsewhere, a few tables away even, changes rows of the table. */
export function leadingTo(table: string, actions: readonly ForeignKeyAction[]): ForeignKeyAction[] {
  const found = new Set<ForeignKeyAction>();
  const children = new Set([table]);
  for (const child of children) {
    for (const action of actions) {
      if (action.child !== child) continue;
      found.add(action);
      children.add(action.parent);
    }
  }
  return [...found];
}
