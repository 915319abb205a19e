import type { FieldFault } from '@lockstep/shared';
import {
  CacheKeyTemplate,
  type Column,
  type ColumnType,
  type Dependency,
  invalidatesOwn,
  isDerived,
  languagesOf,
  parseQuery,
  placeholderOf,
  type QueryText,
  type Resource,
  ROWS_COLUMN,
} from '../../domain/index.ts';
import type { Catalog, DescribedTable, QueryCatalog } from '../port.ts';
import { alsoInvalidating, type Fault, findColumn, findTable, parsed } from './faults.ts';

/** A query in the place of a table, as the configuration has it. */
export interface DerivedConfig {
  query: string;
  parameters: readonly { name: string; type: ColumnType | null }[];
  maxRows: number;
  dependsOn: readonly DependencyConfig[];
}

interface DependencyConfig {
  resource?: string;
  table?: string;
  key: Readonly<Record<string, string>>;
}

/** What binding needs of a resource's configuration. */
interface Named {
  name: string;
  table: string;
  derived?: DerivedConfig;
  cacheKey: string;
}

/** Types of columns that a query's parameters can be taken from. */
const PARAMETER_TYPES: readonly ColumnType[] = ['integer', 'bigint', 'text', 'uuid'];

/** What makes a resource a query: its text, its parameters as key columns, and where it depends on what. */
export type BoundQuery = Pick<Resource, 'table' | 'keyColumns' | 'columns' | 'query'>;

/** Binds a query to the tables that it depends on. @returns null if it has faults, which are reported */
export async function bindDerived(
  config: Named & { derived: DerivedConfig },
  all: readonly Named[],
  catalog: Catalog & QueryCatalog,
  fault: Fault,
): Promise<BoundQuery | null> {
  const { derived } = config;
  const text = await bindText(derived, catalog, fault);
  const dependsOn: Dependency[] = [];
  for (const [index, dependency] of derived.dependsOn.entries()) {
    const bound = await bindDependency(config, dependency, all, catalog, (field, message) =>
      fault(`.dependsOn.${index}${field}`, message),
    );
    if (bound !== null) dependsOn.push(bound);
  }
  const [first] = dependsOn;
  if (text === null || first === undefined || dependsOn.length < derived.dependsOn.length)
    return null;
  const keyColumns = derived.parameters.flatMap(({ name }, index) => {
    const column = first.columns[index];
    return column === undefined ? [] : [parameterOf(name, column, dependsOn, index)];
  });
  const query = Object.freeze({ text, maxRows: derived.maxRows, dependsOn });
  return { table: '', keyColumns, columns: [ROWS], query };
}

const ROWS: Column = {
  name: ROWS_COLUMN,
  type: 'json',
  sqlType: 'rows',
  nullable: false,
  hasDefault: false,
  generated: true,
  maxLength: null,
  range: null,
};

/** A parameter is of its column's kind, and no wider than the narrowest that it is compared with. */
function parameterOf(
  name: string,
  column: Column,
  dependsOn: readonly Dependency[],
  index: number,
): Column {
  const isPadded = dependsOn.some(({ columns }) => columns[index]?.looseEquality === 'padding');
  return {
    ...column,
    name,
    nullable: false,
    hasDefault: false,
    generated: false,
    maxLength: dependsOn.length === 1 ? column.maxLength : null,
    range: dependsOn.length === 1 ? column.range : null,
    ...(isPadded ? { looseEquality: 'padding' } : {}),
  };
}

async function bindText(
  { query, parameters }: DerivedConfig,
  catalog: QueryCatalog,
  fault: Fault,
): Promise<QueryText | null> {
  const text = parsed(
    () => parseQuery(query, catalog.client),
    (message) => fault('.query', message),
  );
  if (text === null) return null;
  const names = parameters.map(({ name }) => name);
  const unknown = text.parameters.filter((name) => !names.includes(name));
  const unused = names.filter((name) => !text.parameters.includes(name));
  if (unknown.length > 0) {
    fault('.query', `names {${unknown.join('}, {')}}; allowed: {${names.join('}, {')}}`);
  }
  for (const name of unused) {
    fault(`.parameters.${name}`, `is not in the query; allowed: parameters that it names`);
  }
  if (unknown.length + unused.length > 0) return null;
  const wrong = await catalog.queryFault(text);
  if (wrong === null) return text;
  fault('.query', `the database does not take it: ${wrong}; allowed: one select that only reads`);
  return null;
}

async function bindDependency(
  { cacheKey, derived }: Named & { derived: DerivedConfig },
  dependency: DependencyConfig,
  all: readonly Named[],
  catalog: Catalog,
  fault: Fault,
): Promise<Dependency | null> {
  const { resource, key } = dependency;
  const name = dependency.table ?? all.find((each) => each.name === resource)?.table ?? '';
  const field = resource === undefined ? '.table' : '.resource';
  const table = await findTable(catalog, name, name || String(resource), (message) =>
    fault(field, message),
  );
  if (table === null) return null;
  const columns = derived.parameters.flatMap((parameter) => {
    const column = bindColumn(key[parameter.name] ?? '', name, table, parameter, fault);
    return column === null ? [] : [column];
  });
  const identity = identityOf(table);
  if (identity.length === 0) {
    fault(field, `${name} has no unique key; allowed: a table whose rows can be told apart`);
  }
  if (columns.length < derived.parameters.length || identity.length === 0) return null;
  const template = templateOf(cacheKey, derived, columns, fault);
  return template === null ? null : { table: name, columns, identity, cacheKey: template };
}

function bindColumn(
  name: string,
  tableName: string,
  table: DescribedTable,
  parameter: DerivedConfig['parameters'][number],
  fault: Fault,
): Column | null {
  const path = `.key.${parameter.name}`;
  const column = findColumn(table, tableName, name, (message) => fault(path, message));
  const what = column === null ? null : parameterFault(column, parameter.type);
  if (what !== null) fault(path, `${name} ${what}`);
  return what === null ? column : null;
}

/** Why a parameter cannot be taken from the column; null where it can. */
function parameterFault(
  { type, sqlType, looseEquality }: Column,
  wanted: ColumnType | null,
): string | null {
  if (!PARAMETER_TYPES.includes(type))
    return `is of type ${sqlType}; allowed: whole numbers, text, uuid`;
  if (looseEquality === 'any')
    return 'takes different texts for equal (case, accents), so that a change cannot be told to one answer; allowed: text that compares exactly (a binary collation)';
  if (wanted !== null && kindOf(wanted) !== kindOf(type))
    return `is of type ${sqlType}; allowed: columns of type ${wanted}`;
  return null;
}

/** Whole numbers of all sizes are spelt alike. */
const kindOf = (type: ColumnType): ColumnType => (type === 'bigint' ? 'integer' : type);

function identityOf({ columns, primaryKey, uniqueKeys }: DescribedTable): Column[] {
  const names = primaryKey.length > 0 ? primaryKey : (uniqueKeys[0] ?? []);
  return names.flatMap((name) => columns.find((column) => column.name === name) ?? []);
}

/** The resource's own template with the table's columns in the place of its parameters. */
function templateOf(
  text: string,
  { parameters }: DerivedConfig,
  columns: readonly Column[],
  fault: Fault,
): CacheKeyTemplate | null {
  const placed = text.replace(/\{([^{}]*)\}/g, (whole, name: string) => {
    const column = columns[parameters.findIndex((parameter) => parameter.name === name)];
    return column === undefined ? whole : placeholderOf(column.name);
  });
  const padded = columns.filter((column) => column.looseEquality === 'padding');
  return parsed(
    () =>
      new CacheKeyTemplate(placed, {
        padded: new Set(padded.map(({ name }) => name)),
        languageOf: languagesOf(columns),
      }),
    (message) => fault('.key', message),
  );
}

/**
 * Gives every resource on a table the cache keys of the derived entries that its writes make wrong. Those that follow
 * the change log only are left to it.
 * @param idOf which table a name stands for
 */
export function linkDependents(
  resources: readonly Resource[],
  idOf: (table: string) => string,
  faults: FieldFault[],
): Resource[] {
  const dependencies = resources
    .filter(isDerived)
    .filter(invalidatesOwn)
    .flatMap(({ name, query }) =>
      query.dependsOn.map(({ table, cacheKey }, index) => {
        return { table, template: cacheKey, path: `resources.${name}.dependsOn.${index}.key` };
      }),
    );
  return resources.map((resource) => {
    if (isDerived(resource)) return resource;
    const over = dependencies.filter(({ table }) => idOf(table) === idOf(resource.table));
    return alsoInvalidating(resource, over, ({ table, path }, names) => {
      const message = `names ${names}, which the columns of ${resource.name} leave out; allowed: columns of every resource over ${table}`;
      faults.push({ path, message });
    });
  });
}
