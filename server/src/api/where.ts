/**
 * The filter of a set-based write: `where={"status":"open","balance":{"$lt":100}}`. Each member is a column, with the
 * value that it must equal, or with operators. All of it must hold.
 */
import {
  type FieldFault,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
} from '@lockstep/shared';
import {
  type Column,
  COMPARISONS,
  type Comparison,
  type Condition,
  invalid,
  invalidField,
  parseValue,
  type Resource,
  type RowFilter,
} from '../domain/index.ts';

const WHERE = 'where';
const EXAMPLE = 'such as {"status":"open","balance":{"$lt":100}}';
const OPERATORS = [...Object.keys(COMPARISONS), '$in'];
/** Values of one `$in`. */
export const MAX_LISTED = 100;

/** @throws LockstepError `INVALID` with each wrong part, by its path below `where` */
export function filterOf(resource: Resource, text: string | undefined): RowFilter {
  const given = objectIn(text);
  const faults: FieldFault[] = [];
  const conditions = Object.entries(given).flatMap(([name, asked]) =>
    conditionsOn(resource, name, asked, faults),
  );
  if (faults.length > 0) throw invalid(faults);
  const [first, ...rest] = conditions;
  if (first === undefined)
    throw invalidField(WHERE, `must have at least one condition, ${EXAMPLE}`);
  return [first, ...rest];
}

function objectIn(text: string | undefined): JsonObject {
  if (text === undefined || text === '')
    throw invalidField(WHERE, `is missing: say which rows are meant, ${EXAMPLE}`);
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch {
    throw invalidField(WHERE, `must be JSON, ${EXAMPLE}`);
  }
  if (isJsonObject(value)) return value;
  throw invalidField(WHERE, `must be an object of columns, ${EXAMPLE}`);
}

function conditionsOn(
  resource: Resource,
  name: string,
  asked: JsonValue,
  faults: FieldFault[],
): Condition[] {
  const path = `${WHERE}.${name}`;
  const column = resource.columns.find((each) => each.name === name);
  if (column === undefined) {
    faults.push({ path, message: 'is not a column of this resource' });
    return [];
  }
  if (column.type === 'json') {
    faults.push({ path, message: `cannot be compared: it is of type ${column.sqlType}` });
    return [];
  }
  if (!isJsonObject(asked)) return comparedWith(column, '$eq', asked, path, faults);
  const operators = Object.entries(asked);
  if (operators.length === 0)
    faults.push({ path, message: `must be a value, or operators: ${OPERATORS.join(', ')}` });
  return operators.flatMap(([operator, value]) => {
    const at = `${path}.${operator}`;
    if (operator === '$in') return listedIn(column, value, at, faults);
    if (isComparison(operator)) return comparedWith(column, operator, value, at, faults);
    faults.push({ path: at, message: `is not known; allowed: ${OPERATORS.join(', ')}` });
    return [];
  });
}

const isComparison = (name: string): name is Comparison => Object.hasOwn(COMPARISONS, name);

function comparedWith(
  column: Column,
  is: Comparison,
  value: JsonValue,
  path: string,
  faults: FieldFault[],
): Condition[] {
  if (value === null) {
    if (is === '$eq') return [{ column, is: 'null' }];
    if (is === '$ne') return [{ column, is: 'not-null' }];
    faults.push({ path, message: 'must not be null: nothing is less or greater than that' });
    return [];
  }
  const parsed = parseValue(column, value);
  if ('value' in parsed) return [{ column, is, value: parsed.value }];
  faults.push({ path, message: parsed.fault });
  return [];
}

function listedIn(
  column: Column,
  list: JsonValue,
  path: string,
  faults: FieldFault[],
): Condition[] {
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_LISTED) {
    faults.push({ path, message: `must be a list of 1 to ${MAX_LISTED} values` });
    return [];
  }
  const values = list.flatMap((value, index) => {
    const parsed = value === null ? { fault: 'must not be null' } : parseValue(column, value);
    if ('value' in parsed) return [parsed.value];
    faults.push({ path: `${path}.${index}`, message: parsed.fault });
    return [];
  });
  const [first, ...rest] = values;
  return first === undefined ? [] : [{ column, is: '$in', values: [first, ...rest] }];
}
