import type { FieldFault } from '@lockstep/shared';
import {
  CacheKeyTemplate,
  type Column,
  type ColumnType,
  type Dependency,
  type DerivedSource,
  invalidatesOwn,
  isDerived,
  keyTextRule,
  languagesOf,
  parseQuery,
  placeholderOf,
  type QueryText,
  type Resource,
  ROWS_COLUMN,
  VALUE_COLUMN,
} from '../../domain/index.ts';
import type { Catalog, DescribedTable, QueryCatalog } from '../port.ts';
import { alsoInvalidating, type Fault, findColumn, findTable, parsed } from './faults.ts';

/** A query, or a loader of a client, instead of a table, as the configuration has it. */
export interface DerivedConfig {
  source: { kind: 'query'; text: string; maxRows: number } | { kind: 'loader' };
  parameters: readonly { name: string; type: ColumnType | null }[];
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

/** What makes a resource a derived one: its parameters as key columns, its one column, and how its values come about. */
export type BoundDerivation = Pick<Resource, 'table' | 'keyColumns' | 'columns' | 'derivation'>;

/** Binds a derived resource to the tables that it depends on. @returns null if it has faults, which are reported */
export async function bindDerived(
  config: Named & { derived: DerivedConfig },
  all: readonly Named[],
  catalog: Catalog & QueryCatalog,
  fault: Fault,
): Promise<BoundDerivation | null> {
  const { derived } = config;
  const source = await bindSource(derived, catalog, fault);
  const dependsOn: Dependency[] = [];
  for (const [index, dependency] of derived.dependsOn.entries()) {
    const bound = await bindDependency(config, dependency, all, catalog, (field, message) =>
      fault(`.dependsOn.${index}${field}`, message),
    );
    if (bound !== null) dependsOn.push(bound);
  }
  const [first] = dependsOn;
  if (source === null || first === undefined || dependsOn.length < derived.dependsOn.length)
    return null;
  const keyColumns = derived.parameters.flatMap(({ name }, index) => {
    const column = first.columns[index];
    return column === undefined ? [] : [parameterOf(name, column, dependsOn, index)];
  });
  if (source.kind === 'loader') checkSpelling(keyColumns, fault);
  const column = source.kind === 'query' ? ROWS : VALUE;
  const derivation = Object.freeze({ source: Object.freeze(source), dependsOn });
  return { table: '', keyColumns, columns: [column], derivation };
}

const onlyColumn = (name: string): Column => ({
  name,
  type: 'json',
  sqlType: name,
  nullable: false,
  hasDefault: false,
  generated: true,
  maxLength: null,
  range: null,
});
const ROWS = onlyColumn(ROWS_COLUMN);
const VALUE = onlyColumn(VALUE_COLUMN);

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

/** The client makes the cache keys of a computed resource, so each parameter needs one spelling that it knows. */
function checkSpelling(keyColumns: readonly Column[], fault: Fault): void {
  for (const { looseEquality: _, ...column } of keyColumns) {
    if (keyTextRule(column) !== 'coordinator') continue;
    const message = `has values that can be spelled in several ways (${column.sqlType}), so that a client cannot make its cache key; allowed: whole numbers, text, uuid`;
    fault(`.parameters.${column.name}`, message);
  }
}

async function bindSource(
  { source, parameters }: DerivedConfig,
  catalog: QueryCatalog,
  fault: Fault,
): Promise<DerivedSource | null> {
  if (source.kind === 'loader') return source;
  const text = await bindText(source.text, parameters, catalog, fault);
  return text && { ...source, text };
}

async function bindText(
  query: string,
  parameters: DerivedConfig['parameters'],
  catalog: QueryCatalog,
  fault: Fault,
): Promise<QueryText | null> {
  const text = parsed(
    () => parseQuery(query, catalog.querySpelling),
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
    .flatMap(({ name, derivation }) =>
      derivation.dependsOn.map(({ table, cacheKey }, index) => {
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
