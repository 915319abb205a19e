import {
  type FieldFault,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type Row,
} from '@lockstep/shared';
import type { Change, Key, NewRow, Resource } from '../domain/index.ts';
import { parseIncrement, parseRow } from '../domain/column-values.ts';
import {
  assertHasRows,
  emptyRow,
  invalid,
  invalidField,
  keyFromJson,
  keyPartFromJson,
  LockstepError,
} from '../domain/index.ts';

const INCREMENT = '$inc';

/** What a body asks for. */
export interface BodyChange {
  change: Change;
  /** The columns in the body that the database computes; null: none. */
  repeated: Row | null;
}

/**
 * The change that a PUT's body asks for. It may repeat the key's columns, with the key's values.
 * @param prefix stands before each column in the paths of faults
 * @throws LockstepError `INVALID` with each wrong field
 */
export function putChange(
  key: Key,
  body: JsonValue | undefined,
  onlyCreate: boolean,
  prefix = '',
): BodyChange {
  const given = objectOf(body, prefix);
  const isOperator = operatorTest(key, []);
  const faults = operatorFaults(given, isOperator, []);
  const isKeyColumn = keyColumnTest(key);
  for (const name of Object.keys(given).filter(isKeyColumn)) {
    if (!repeatsKey(key, name, given[name]))
      faults.push({ path: name, message: 'must equal the key' });
  }
  const rest = entriesOf(given, (name) => !isKeyColumn(name) && !isOperator(name));
  const { row: set, repeated = null } = rowOf(key, rest, faults);
  throwFaults(faults, prefix);
  return { change: { op: 'put', set, onlyCreate }, repeated };
}

/**
 * The change that a PATCH's body asks for: columns to set, and `$inc` with columns to add to.
 * @throws LockstepError `INVALID` with each wrong field
 */
export function patchChange(key: OfResource, body: JsonValue | undefined, prefix = ''): BodyChange {
  const given = objectOf(body, prefix);
  const isOperator = operatorTest(key, [INCREMENT]);
  const faults = operatorFaults(given, isOperator, [INCREMENT]);
  const isKeyColumn = keyColumnTest(key);
  for (const name of Object.keys(given).filter((each) => isKeyColumn(each) && !isOperator(each))) {
    faults.push({ path: name, message: 'is of the key, which no write can change' });
  }
  const { row: set, repeated = null } = rowOf(
    key,
    entriesOf(given, (name) => !isKeyColumn(name) && !isOperator(name)),
    faults,
  );
  const increment = Object.hasOwn(given, INCREMENT)
    ? incrementOf(key, given[INCREMENT], faults)
    : {};
  for (const name of Object.keys(increment).filter((column) => Object.hasOwn(given, column))) {
    faults.push({ path: `${INCREMENT}.${name}`, message: 'is set by the same request' });
  }
  if (faults.length === 0 && Object.keys(set).length + Object.keys(increment).length === 0) {
    faults.push({ path: prefix === '' ? 'body' : '', message: 'must change at least one column' });
  }
  throwFaults(faults, prefix);
  return { change: { op: 'patch', set, increment }, repeated };
}

/**
 * The row that the body of an insert asks for. Columns of the key may be left out where the database makes them.
 * @throws LockstepError `INVALID` with each wrong field, and each column of the key that nobody gives
 */
export function newRow(resource: Resource, body: JsonValue | undefined, prefix = ''): NewRow {
  assertHasRows(resource);
  const given = objectOf(body, prefix);
  const isOperator = operatorTest({ resource }, []);
  const faults = operatorFaults(given, isOperator, []);
  const parts: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const column of resource.keyColumns) {
    const { name, defaultSql, identity } = column;
    if (Object.hasOwn(given, name)) {
      const parsed = keyPartFromJson(column, given[name]);
      if ('fault' in parsed) faults.push({ path: name, message: parsed.fault });
      else parts[name] = parsed.part;
    } else if (defaultSql === undefined && identity !== true) {
      faults.push({ path: name, message: 'is of the key, and the database makes no value for it' });
    }
  }
  const isKeyColumn = keyColumnTest({ resource });
  const rest = entriesOf(given, (name) => !isKeyColumn(name) && !isOperator(name));
  const { row: set, repeated = emptyRow() } = rowOf({ resource }, rest, faults);
  for (const path of Object.keys(repeated))
    faults.push({ path, message: 'is computed by the database; leave it out' });
  throwFaults(faults, prefix);
  return { resource, parts, set };
}

function objectOf(body: JsonValue | undefined, prefix: string): JsonObject {
  if (isJsonObject(body)) return body;
  throw invalidField(prefix === '' ? 'body' : prefix, 'must be an object of columns');
}

type OfResource = Pick<Key, 'resource'>;

function rowOf(
  { resource }: OfResource,
  given: JsonObject,
  faults: FieldFault[],
): { row: Row; repeated?: Row } {
  const parsed = parseRow(resource.columns, given);
  if ('row' in parsed) return parsed;
  faults.push(...parsed.faults);
  return { row: {} };
}

function incrementOf(
  key: OfResource,
  given: JsonValue | undefined,
  faults: FieldFault[],
): Record<string, string> {
  if (!isJsonObject(given)) {
    faults.push({
      path: INCREMENT,
      message: 'must be an object of columns and what to add to them',
    });
    return {};
  }
  const isKeyColumn = keyColumnTest(key);
  for (const name of Object.keys(given).filter(isKeyColumn)) {
    faults.push({
      path: `${INCREMENT}.${name}`,
      message: 'is of the key, which no write can change',
    });
  }
  const parsed = parseIncrement(
    key.resource.columns,
    entriesOf(given, (name) => !isKeyColumn(name)),
  );
  if ('increment' in parsed) return parsed.increment;
  faults.push(...parsed.faults);
  return {};
}

/** A member that begins with `$` is an operator, unless a column has that name. */
function operatorTest(
  { resource }: OfResource,
  known: readonly string[],
): (name: string) => boolean {
  return (name) =>
    name.startsWith('$') &&
    (known.includes(name) || !resource.columns.some((column) => column.name === name));
}

function operatorFaults(
  given: JsonObject,
  isOperator: (name: string) => boolean,
  known: readonly string[],
): FieldFault[] {
  return Object.keys(given)
    .filter((name) => isOperator(name) && !known.includes(name))
    .map((path) => ({ path, message: 'is not known; the only operator is $inc, in a PATCH' }));
}

function repeatsKey(key: Key, column: string, value: JsonValue | undefined): boolean {
  const { keyColumns } = key.resource;
  const parts = keyColumns.map(({ name }, index) => (name === column ? value : key.parts[index]));
  try {
    return (
      keyFromJson(
        key.resource,
        parts.map((part) => part ?? null),
      ).text === key.text
    );
  } catch (error) {
    if (error instanceof LockstepError) return false;
    throw error;
  }
}

function keyColumnTest({ resource: { keyColumns } }: OfResource): (name: string) => boolean {
  return (name) => keyColumns.some((column) => column.name === name);
}

/** `fromEntries` defines members: a member `__proto__` stays an ordinary one. */
const entriesOf = (given: JsonObject, test: (name: string) => boolean): JsonObject =>
  Object.fromEntries(Object.entries(given).filter(([name]) => test(name)));

function throwFaults(faults: FieldFault[], prefix: string): void {
  if (faults.length === 0) return;
  if (prefix === '') throw invalid(faults);
  const at = (path: string): string => (path === '' ? prefix : `${prefix}.${path}`);
  throw invalid(faults.map(({ path, message }) => ({ path: at(path), message })));
}
