/**
 * TypeScript declarations of what the client sees: for each resource its key, its value, and what writes of it take, in
 * the JSON forms of [docs/types.md](../../../docs/types.md). They extend the interface `Resources` of
 * `@lockstep/client`, so that calls of the client need no type arguments.
 */
import type { Dialect } from '../database/index.ts';
import {
  type Column,
  type ColumnType,
  elementType,
  isDerived,
  isQuery,
  type Resource,
  type ScalarType,
} from '../domain/index.ts';

type Holds = Dialect['holds'];

/** The TypeScript type of a value in JSON: as it is read, and as it may be written. */
interface JsonForm {
  read: string;
  write: string;
}

const same = (type: string): JsonForm => ({ read: type, write: type });

const FORMS: Readonly<Record<ScalarType, JsonForm>> = {
  integer: { read: 'number', write: 'number | string' },
  bigint: same('number | string'),
  decimal: { read: 'string', write: 'number | string' },
  real: { read: 'number', write: 'number | string' },
  float: { read: 'number', write: 'number | string' },
  text: same('string'),
  boolean: same('boolean'),
  timestamp: same('string'),
  date: same('string'),
  time: same('string'),
  json: same('Json'),
  bytes: same('string'),
  uuid: same('string'),
  other: same('string'),
};

const FLOATING: JsonForm = {
  read: "number | 'NaN' | 'Infinity' | '-Infinity'",
  write: 'number | string',
};

const HEAD = `// Written by \`lockstep types\`. Run it again when the configuration or a table changes.
import '@lockstep/client';

/** A document. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** An array of any number of dimensions; as text where its first place is not 1. */
export type Items<Item> = (Item | null | Items<Item>)[] | string;

declare module '@lockstep/client' {
  interface Resources {`;

/** The declarations of all resources, as the text of a \`.d.ts\` file. */
export function typeDeclarations(resources: readonly Resource[], holds: Holds): string {
  const members = resources.flatMap((resource) => resourceLines(resource, holds));
  return [HEAD, ...members.map((line) => `    ${line}`), '  }', '}', ''].join('\n');
}

function resourceLines(resource: Resource, holds: Holds): string[] {
  const key = `key: ${keyText(resource, holds)};`;
  const value = isDerived(resource)
    ? [isQuery(resource) ? 'value: { [column: string]: Json }[];' : 'value: Json;']
    : rowLines('value', resource.columns, (column) => member(column, holds, 'read'));
  return [
    `${propertyName(resource.name)}: {`,
    ...[key, ...value, ...writeLines(resource, holds)].map((line) => `  ${line}`),
    '};',
  ];
}

/** What its writes take; `never` where it is read only. */
function writeLines(resource: Resource, holds: Holds): string[] {
  if (isDerived(resource) || resource.writtenThrough !== undefined)
    return ['insert: never;', 'put: never;', 'patch: never;'];
  const written = resource.columns.filter((column) => !column.generated);
  const isKey = (column: Column): boolean => resource.keyColumns.includes(column);
  const beside = written.filter((column) => !isKey(column));
  const needed = (column: Column): string => member(column, holds, 'write', isOptional(column));
  const steps = beside
    .filter(isCountable)
    .map(({ name }) => `${propertyName(name)}?: number | string`);
  const increment = steps.length === 0 ? [] : [`  $inc?: { ${steps.join('; ')} };`];
  const patch = rowLines('patch', beside, (column) => member(column, holds, 'write', true));
  return [
    ...rowLines('insert', written, needed),
    ...rowLines('put', beside, needed),
    ...patch.slice(0, -1),
    ...increment,
    ...patch.slice(-1),
  ];
}

const rowLines = (
  name: string,
  columns: readonly Column[],
  line: (column: Column) => string,
): string[] => [`${name}: {`, ...columns.map((column) => `  ${line(column)}`), '};'];

function member(
  column: Column,
  holds: Holds,
  direction: keyof JsonForm,
  mayBeLeftOut = false,
): string {
  const { name, nullable } = column;
  const type = jsonType(column, holds, direction);
  return `${propertyName(name)}${mayBeLeftOut ? '?' : ''}: ${type}${nullable ? ' | null' : ''};`;
}

function jsonType(column: Column, holds: Holds, direction: keyof JsonForm): string {
  const element = elementType(column.type);
  return element === null
    ? formOf(column.type, holds)[direction]
    : `Items<${formOf(element, holds)[direction]}>`;
}

/** A time without a zone has its zone in its type's name, and the form of any other time. */
function formOf(type: ColumnType, holds: Holds): JsonForm {
  const scalar = Object.hasOwn(FORMS, type) ? (type as ScalarType) : 'timestamp';
  if (holds.nonFiniteFloats && (scalar === 'real' || scalar === 'float')) return FLOATING;
  if (holds.numbersInBooleans && scalar === 'boolean') return same('boolean | number');
  return FORMS[scalar];
}

/** One part by itself, several as a tuple. */
function keyText({ keyColumns }: Resource, holds: Holds): string {
  const parts = keyColumns.map((column) => jsonType(column, holds, 'write'));
  const [only = 'never'] = parts;
  return parts.length === 1 ? only : `readonly [${parts.join(', ')}]`;
}

/** The database gives it a value where a row is inserted without one. */
const isOptional = ({ nullable, hasDefault, identity }: Column): boolean =>
  nullable || hasDefault || identity === true;

const COUNTABLE: readonly ColumnType[] = ['integer', 'bigint', 'decimal', 'real', 'float'];
const isCountable = ({ type }: Column): boolean => COUNTABLE.includes(type);

const propertyName = (name: string): string =>
  /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? name : JSON.stringify(name);
