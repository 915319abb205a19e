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
import { bindDerived, type DerivedConfig, linkDependents } from './bind-derived.ts';
import { bindCascades } from './bind-cascades.ts';
import { type Fault, findColumn, findTable, namesOf, parsed } from './faults.ts';
import { bindShared, type TableIdentity } from './bind-shared.ts';
import type { Catalog, DescribedTable, QueryCatalog } from '../port.ts';
import { NO_ROW_NAMES, type RowNames } from './names.ts';
import { foreignKeyTables } from './foreign-key-tables.ts';
import { withTableStates } from './table-states.ts';

/** A resource as the configuration has it. */
export interface ResourceConfig
  extends
    Pick<
      Resource,
      'name' | 'table' | 'policy' | 'ttlMs' | 'ttlJitter' | 'negativeTtlMs' | 'onWrite' | 'audit'
    >,
    Partial<Pick<Resource, 'format' | 'level' | 'rollout' | 'secondDeleteAfterMs' | 'refresh'>> {
  key: readonly string[];
  /** Default: all. */
  columns?: readonly string[];
  cacheKey: string;
  invalidates: readonly string[];
  /** A query in the place of a table; absent: the table. */
  derived?: DerivedConfig;
}

/** Longest resource name, in bytes: it stands in every index of Lockstep's tables. */
const MAX_NAME_BYTES = 128;

export interface BoundResources {
  resources: Resource[];
  /** With any of these (its path, what is wrong, what is allowed) the resources are not to be used. */
  faults: FieldFault[];
  /** Tables whose storage the database does not show, as `Catalog.storages` says; always empty on PostgreSQL. */
  withoutStorage: string[];
  /** Tables, quoted, whose foreign keys are looked at because a change in them may change rows of resources. */
  lookedAt: string[];
}

/**
 * Binds configured resources to the tables that the database has.
 * @throws LockstepError `DATABASE_UNAVAILABLE`
 */
export async function bindResources(
  configs: readonly ResourceConfig[],
  source: Catalog & QueryCatalog,
  names: RowNames = NO_ROW_NAMES,
): Promise<BoundResources> {
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
      const bound = await bindDerived({ ...config, derived }, configs, catalog, fault);
      const cacheKey =
        bound === null
          ? null
          : bindCacheKey(config, bound.keyColumns, fault, paddedOf(bound.keyColumns));
      if (bound !== null && cacheKey !== null)
        resources.push(boundResource(config, { ...bound, cacheKey, invalidates: [] }));
      continue;
    }
    const table = await findTable(catalog, config.table, config.table, (message) =>
      fault('.table', message),
    );
    const resource = table === null ? null : bindTable(config, table, fault);
    if (resource !== null) resources.push(resource);
  }
  faults.push(...cacheKeyFaults(resources));
  const identityOf = (table: string): TableIdentity =>
    described.get(table)?.root ?? { id: table, name: table };
  const idOf = (table: string): string => identityOf(table).id;
  const linked = linkDependents(resources, idOf, faults);
  const tables = [...described.values()];
  const roots = [...new Set(tables.map(({ root }) => root.id))];
  const { actions, opened } = await source.foreignKeyActions(roots);
  const lookedAt = foreignKeyTables(resources, { actions, opened, idOf }, faults);
  const storages = await source.storages([...new Set(tables.map(({ id }) => id))]);
  const known = withTableStates(linked, { tables: described, actions, storages });
  const bound = bindCascades(known, actions, idOf, faults);
  const shared = await bindShared(bound, identityOf, names, faults);
  const withoutStorage = [...described].flatMap(([name, { id, unfit }]) =>
    unfit !== null || storages.has(id) ? [] : [name],
  );
  return { resources: shared.map(freeze), faults, withoutStorage, lookedAt };
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
    ...catalog,
    describeTable(name) {
      const found = asked.get(name) ?? describe(name);
      asked.set(name, found);
      return found;
    },
  };
}

function bindTable(config: ResourceConfig, table: DescribedTable, fault: Fault): Resource | null {
  const find = (name: string, field: string): Column | null =>
    findColumn(table, config.table, name, (message) => fault(field, message));
  const keyColumns = config.key.flatMap((name) => find(name, '.key') ?? []);
  const columns = bindColumns(config, table, find);
  for (const { name, sqlType, unusable } of columns) {
    if (unusable === undefined) continue;
    fault('.columns', `${name} is of type ${sqlType}, ${unusable}; allowed: columns without it`);
  }
  if (keyColumns.length === config.key.length) checkKey(config, table, keyColumns, fault);
  const cacheKey = bindCacheKey(config, keyColumns, fault);
  const invalidates = config.invalidates.flatMap((text, index) => {
    const field = `.invalidates.${index}`;
    const template = parseTemplate(text, columns, field, fault);
    const unknown = template?.columns.filter((name) => !columns.some((each) => each.name === name));
    if (unknown !== undefined && unknown.length > 0)
      fault(field, `names ${unknown.join(', ')}; allowed: ${namesOf(columns)}`);
    return template ?? [];
  });
  if (cacheKey === null) return null;
  const { schema, sideEffects } = table;
  return boundResource(config, {
    ...(schema === undefined ? {} : { schema }),
    keyColumns,
    columns,
    cacheKey,
    invalidates,
    ...(hasSideEffects(sideEffects) ? { sideEffects } : {}),
  });
}

type BoundField = 'keyColumns' | 'columns' | 'cacheKey' | 'invalidates';

const DEFAULTS = {
  format: 'entry',
  level: 'redis',
  rollout: 'own',
  secondDeleteAfterMs: null,
  refresh: null,
} as const;

function boundResource(
  { key: _key, columns: _columns, derived: _derived, ...rest }: ResourceConfig,
  bound: Pick<Resource, BoundField> & Partial<Resource>,
): Resource {
  return { ...DEFAULTS, ...rest, ...bound };
}

function bindCacheKey(
  { key, cacheKey }: ResourceConfig,
  keyColumns: readonly Column[],
  fault: Fault,
  padded: ReadonlySet<string> = new Set(),
): CacheKeyTemplate | null {
  const template = parseTemplate(cacheKey, keyColumns, '.cacheKey', fault, padded);
  if (template === null) return null;
  const { columns } = template;
  if (columns.length !== key.length || !key.every((name) => columns.includes(name))) {
    const wanted = key.map(placeholderOf).join(', ');
    fault('.cacheKey', `names other columns than the key; allowed: exactly ${wanted}, once each`);
  }
  return template;
}

/** The configured columns in their order, the key's first where they are left out. */
function bindColumns(
  { key, columns }: ResourceConfig,
  table: DescribedTable,
  find: (name: string, field: string) => Column | null,
): Column[] {
  if (columns === undefined) return table.columns;
  const left = key
    .filter((name) => !columns.includes(name))
    .flatMap((name) => table.columns.find((column) => column.name === name) ?? []);
  return [...left, ...columns.flatMap((name) => find(name, '.columns') ?? [])];
}

function checkKey(
  { key, table: name }: ResourceConfig,
  { uniqueKeys }: DescribedTable,
  keyColumns: readonly Column[],
  fault: Fault,
): void {
  const isUnique = uniqueKeys.some(
    (unique) => unique.length === key.length && unique.every((each) => key.includes(each)),
  );
  if (!isUnique) {
    const known = uniqueKeys.map((unique) => unique.join(', ')).join(' or ');
    const allowed = known || 'none, the table has no unique key';
    fault('.key', `is not a unique key of ${name}; allowed: ${allowed}`);
  }
  for (const column of keyColumns) {
    const what = keyColumnFault(column);
    if (what !== null) fault('.key', `${column.name} ${what}`);
  }
}

/** Why no key can have the column; null where one can. */
export function keyColumnFault(column: Column): string | null {
  if (!canBeKey(column)) return `is of type ${column.sqlType}; allowed: ${KEY_TYPE_NAMES}`;
  if (column.inexact === true)
    return 'takes different texts for equal; allowed: text that compares exactly';
  if (column.generated && column.identity !== true)
    return 'is computed by the database; allowed: columns that can be written';
  return null;
}

/** The columns whose values the database compares without the blanks at their end. */
const paddedOf = (columns: readonly Column[]): Set<string> =>
  new Set(
    columns.flatMap(({ name, looseEquality }) => (looseEquality === 'padding' ? [name] : [])),
  );

const parseTemplate = (
  text: string,
  columns: readonly Column[],
  field: string,
  fault: Fault,
  padded: ReadonlySet<string> = new Set(),
): CacheKeyTemplate | null =>
  parsed(
    () => new CacheKeyTemplate(text, { padded, languageOf: languagesOf(columns) }),
    (message) => fault(field, `${message}; allowed: a template such as account:{id}`),
  );

function freeze(resource: Resource): Resource {
  for (const column of resource.columns) Object.freeze(column);
  Object.freeze(resource.keyColumns);
  Object.freeze(resource.columns);
  Object.freeze(resource.invalidates);
  return Object.freeze(resource);
}
