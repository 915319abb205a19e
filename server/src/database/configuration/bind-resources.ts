import type { FieldFault } from '@lockstep/shared';
import {
  cacheKeyFaults,
  CacheKeyTemplate,
  canBeKey,
  type Column,
  hasSideEffects,
  KEY_TYPE_NAMES,
  languagesOf,
  placeholderOf,
  type Resource,
} from '../../domain/index.ts';
import {
  bindDerived,
  type BoundQuery,
  type DerivedConfig,
  type Fault,
  linkDependents,
} from './bind-derived.ts';
import { bindCascades } from './bind-cascades.ts';
import { bindShared, type TableIdentity } from './bind-shared.ts';
import type { Catalog, DescribedTable, QueryCatalog } from '../port.ts';
import { NO_ROW_NAMES, type RowNames } from './row-names.ts';
import { withTableStates } from './table-states.ts';

/** A resource as the configuration has it. */
export interface ResourceConfig extends Omit<
  Resource,
  | 'keyColumns'
  | 'columns'
  | 'cacheKey'
  | 'invalidates'
  | OptionalField
  | 'sideEffects'
  | 'cascades'
  | 'tables'
  | 'epoch'
  | 'query'
> {
  key: readonly string[];
  /** Default: all. */
  columns?: readonly string[];
  cacheKey: string;
  invalidates: readonly string[];
  /** A query in the place of a table; absent: the table. */
  derived?: DerivedConfig;
  /** Default: `entry`. */
  format?: Resource['format'];
  /** Default: none of its own. */
  secondDeleteAfterMs?: Resource['secondDeleteAfterMs'];
  /** Default: none. */
  refresh?: Resource['refresh'];
}

type OptionalField = 'format' | 'secondDeleteAfterMs' | 'refresh';

/** Longest resource name, in bytes: it stands in every index of Lockstep's tables. */
const MAX_NAME_BYTES = 128;

/**
 * Binds configured resources to the tables that the database has.
 * With any fault (its path, what is wrong, what is allowed) the resources are not to be used.
 * @throws LockstepError `DATABASE_UNAVAILABLE`
 */
export async function bindResources(
  configs: readonly ResourceConfig[],
  source: Catalog & QueryCatalog,
  names: RowNames = NO_ROW_NAMES,
): Promise<{ resources: Resource[]; faults: FieldFault[] }> {
  const described = new Map<string, DescribedTable>();
  const catalog = remembering(source, described);
  await describeAhead(configs, catalog);
  const faults: FieldFault[] = [];
  const resources: Resource[] = [];
  for (const config of configs) {
    const fault = (field: string, message: string): void => {
      faults.push({ path: `resources.${config.name}${field}`, message });
    };
    if (Buffer.byteLength(config.name) > MAX_NAME_BYTES) {
      fault('', `has too long a name; allowed: at most ${MAX_NAME_BYTES} bytes`);
    }
    const { derived } = config;
    if (derived !== undefined) {
      const query = await bindDerived({ ...config, derived }, configs, catalog, fault);
      const resource = query === null ? null : withQuery(config, query, fault);
      if (resource !== null) resources.push(resource);
      continue;
    }
    const table = await catalog.describeTable(config.table);
    if (table === null) {
      fault('.table', `there is no table ${config.table}; allowed: a table of the database`);
      continue;
    }
    if (table.unfit !== null) {
      fault('.table', `${config.table} ${table.unfit}`);
      continue;
    }
    const resource = bindResource(config, table, fault);
    if (resource !== null) resources.push(resource);
  }
  faults.push(...cacheKeyFaults(resources));
  const identityOf = (table: string): TableIdentity =>
    described.get(table)?.root ?? { id: table, name: table };
  const idOf = (table: string): string => identityOf(table).id;
  const linked = linkDependents(resources, idOf, faults);
  const tables = [...described.values()];
  const actions = await source.foreignKeyActions([...new Set(tables.map(({ root }) => root.id))]);
  const storages = await source.storages([...new Set(tables.map(({ id }) => id))]);
  const known = withTableStates(linked, { tables: described, actions, storages });
  const bound = bindCascades(known, actions, idOf, faults);
  const shared = await bindShared(bound, identityOf, names, faults);
  return { resources: shared.map(freeze), faults };
}

/** Tables that are asked for side by side. */
const DESCRIBED_AT_ONCE = 4;

/** Asks for the tables of all resources, so that a start with a thousand of them does not wait for each by itself. */
async function describeAhead(configs: readonly ResourceConfig[], catalog: Catalog): Promise<void> {
  const tables = configs.flatMap(({ derived, table }) => (derived === undefined ? [table] : []));
  const left = [...new Set(tables)].values();
  const work = async (): Promise<void> => {
    for (const table of left) await catalog.describeTable(table);
  };
  await Promise.all(Array.from({ length: DESCRIBED_AT_ONCE }, work));
}

/** The catalog, which asks for each table once, and notes of each name that it was asked for whose it is. */
function remembering(
  catalog: Catalog & QueryCatalog,
  tables: Map<string, DescribedTable>,
): Catalog & QueryCatalog {
  const asked = new Map<string, Promise<DescribedTable | null>>();
  const describe = async (name: string): Promise<DescribedTable | null> => {
    const table = await catalog.describeTable(name);
    if (table !== null) tables.set(name, table);
    return table;
  };
  return {
    client: catalog.client,
    queryFault: (query) => catalog.queryFault(query),
    foreignKeyActions: (ids) => catalog.foreignKeyActions(ids),
    storages: (ids) => catalog.storages(ids),
    describeTable(name) {
      const found = asked.get(name) ?? describe(name);
      asked.set(name, found);
      return found;
    },
  };
}

function bindResource(
  config: ResourceConfig,
  table: DescribedTable,
  fault: Fault,
): Resource | null {
  const find = (name: string, field: string): Column | null => {
    const column = table.columns.find((candidate) => candidate.name === name);
    if (column === undefined) {
      const known = table.columns.map((candidate) => candidate.name).join(', ');
      fault(field, `there is no column ${name} in ${config.table}; allowed: ${known}`);
    }
    return column ?? null;
  };
  const keyColumns = config.key.flatMap((name) => find(name, '.key') ?? []);
  const columns = bindColumns(config, table, find);
  for (const { name, sqlType, unusable } of columns) {
    if (unusable === undefined) continue;
    fault('.columns', `${name} is of type ${sqlType}, ${unusable}; allowed: columns without it`);
  }
  if (keyColumns.length === config.key.length) checkKey(config, table, keyColumns, fault);
  const { key, columns: _, cacheKey, invalidates, derived: _derived, ...rest } = config;
  const template = parseTemplate(cacheKey, keyColumns, '.cacheKey', fault);
  if (template !== null) checkKeyTemplate(template, key, fault);
  const related = invalidates.flatMap(
    (text, index) => parseTemplate(text, columns, `.invalidates.${index}`, fault) ?? [],
  );
  for (const [index, { columns: placeholders }] of related.entries()) {
    const unknown = placeholders.filter((name) => !columns.some((column) => column.name === name));
    if (unknown.length > 0) {
      const allowed = columns.map((column) => column.name).join(', ');
      fault(`.invalidates.${index}`, `names ${unknown.join(', ')}; allowed: ${allowed}`);
    }
  }
  if (template === null) return null;
  return {
    format: 'entry',
    secondDeleteAfterMs: null,
    refresh: null,
    ...rest,
    ...(table.schema === undefined ? {} : { schema: table.schema }),
    keyColumns,
    columns,
    cacheKey: template,
    invalidates: related,
    ...(hasSideEffects(table.sideEffects) ? { sideEffects: table.sideEffects } : {}),
  };
}

function withQuery(config: ResourceConfig, query: BoundQuery, fault: Fault): Resource | null {
  const { key, columns: _, cacheKey, derived: _derived, ...rest } = config;
  const template = parseTemplate(cacheKey, query.keyColumns, '.cacheKey', fault);
  if (template === null) return null;
  checkKeyTemplate(template, key, fault);
  return {
    format: 'entry',
    secondDeleteAfterMs: null,
    refresh: null,
    ...rest,
    ...query,
    cacheKey: template,
    invalidates: [],
  };
}

/** The configured columns in their order, the key's first where they are left out. */
function bindColumns(
  { key, columns }: ResourceConfig,
  table: DescribedTable,
  find: (name: string, field: string) => Column | null,
): Column[] {
  if (columns === undefined) return table.columns;
  const names = [...key.filter((name) => !columns.includes(name)), ...columns];
  return names.flatMap(
    (name) => (columns.includes(name) ? find(name, '.columns') : findIn(table, name)) ?? [],
  );
}

const findIn = (table: DescribedTable, name: string): Column | null =>
  table.columns.find((column) => column.name === name) ?? null;

function checkKey(
  config: ResourceConfig,
  table: DescribedTable,
  keyColumns: Column[],
  fault: Fault,
): void {
  const isUnique = table.uniqueKeys.some(
    (unique) =>
      unique.length === config.key.length && unique.every((name) => config.key.includes(name)),
  );
  if (!isUnique) {
    const known = table.uniqueKeys.map((unique) => unique.join(', ')).join(' or ');
    fault(
      '.key',
      `is not a unique key of ${config.table}; allowed: ${known || 'none, the table has no unique key'}`,
    );
  }
  for (const column of keyColumns) {
    if (!canBeKey(column)) {
      fault('.key', `${column.name} is of type ${column.sqlType}; allowed: ${KEY_TYPE_NAMES}`);
    } else if (column.inexact === true) {
      fault(
        '.key',
        `${column.name} takes different texts for equal; allowed: text that compares exactly`,
      );
    } else if (column.generated && column.identity !== true) {
      fault(
        '.key',
        `${column.name} is computed by the database; allowed: columns that can be written`,
      );
    }
  }
}

function parseTemplate(
  text: string,
  columns: readonly Column[],
  field: string,
  fault: Fault,
): CacheKeyTemplate | null {
  try {
    return new CacheKeyTemplate(text, { languageOf: languagesOf(columns) });
  } catch (error) {
    fault(
      field,
      `${error instanceof Error ? error.message : String(error)}; allowed: a template such as account:{id}`,
    );
    return null;
  }
}

function checkKeyTemplate(template: CacheKeyTemplate, key: readonly string[], fault: Fault): void {
  const { columns } = template;
  if (columns.length === key.length && key.every((name) => columns.includes(name))) return;
  const wanted = key.map(placeholderOf).join(', ');
  fault('.cacheKey', `names other columns than the key; allowed: exactly ${wanted}, once each`);
}

function freeze(resource: Resource): Resource {
  for (const column of resource.columns) Object.freeze(column);
  Object.freeze(resource.keyColumns);
  Object.freeze(resource.columns);
  Object.freeze(resource.invalidates);
  return Object.freeze(resource);
}
