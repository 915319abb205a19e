/** Prisma's models, as far as what is read and written of them is to be known. */
import type { Key } from '@lockstep/client';
import { type ColumnKind, type ColumnMap, keyPartOf } from '@lockstep/client/sql';
import { Decimal } from '@prisma/client/runtime/client';

/** The model whose rows are a resource. */
export interface ModelResource {
  /** As the schema names it. */
  model: string;
  /** The fields of the resource's key, in its order. */
  key: readonly string[];
}
/** Models by the names of their resources. */
export type ModelResources = Readonly<Record<string, ModelResource>>;

interface Field {
  name: string;
  kind: string;
  type: string;
  dbName?: string | null;
  isList?: boolean;
}
/** What a generated client knows of its schema. */
export interface DataModel {
  models: Readonly<Record<string, { fields: readonly Field[] }>>;
  enums: Readonly<Record<string, { values: readonly { dbName?: string | null }[] }>>;
}

/** A resource of a model, as Prisma knows it. */
export interface MappedModel {
  resource: string;
  key: readonly string[];
  /** What a read is made of; null where a field has no value that the cache can give. */
  columns: ColumnMap | null;
  types: Readonly<Record<string, string>>;
}

type Values = Readonly<Record<string, unknown>>;
const isValues = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const KINDS: Readonly<Record<string, ColumnKind>> = {
  String: 'string',
  Int: 'number',
  Float: 'number',
  BigInt: 'bigint',
  Boolean: 'boolean',
  DateTime: 'date',
  Json: 'json',
  Bytes: 'bytes',
  Decimal: 'string',
};
/** What Prisma makes of these. */
const MADE: Readonly<Record<string, (value: unknown) => unknown>> = {
  Decimal: (value) => new Decimal(String(value)),
  Bytes: (value) => new Uint8Array(value as Buffer),
};

/** @throws TypeError where the schema has no such model or field */
export function mapModels(
  schema: DataModel,
  resources: ModelResources,
): Map<string, MappedModel[]> {
  const mapped = new Map<string, MappedModel[]>();
  for (const [resource, { model, key }] of Object.entries(resources)) {
    const fields = schema.models[model]?.fields.filter(({ kind }) => kind !== 'object');
    if (fields === undefined) throw new TypeError(`The schema has no model ${model}.`);
    const missing = key.find((name) => !fields.some((field) => field.name === name));
    if (missing !== undefined) throw new TypeError(`The model ${model} has no field ${missing}.`);
    const types = Object.fromEntries(fields.map(({ name, type }) => [name, type]));
    const columns = columnsOf(schema, fields);
    mapped.set(model, [...(mapped.get(model) ?? []), { resource, key, columns, types }]);
  }
  return mapped;
}

function columnsOf(schema: DataModel, fields: readonly Field[]): ColumnMap | null {
  const columns: Record<string, { column: string; kind: ColumnKind }> = {};
  for (const { name, dbName, type, kind: fieldKind, isList } of fields) {
    const isPlainEnum =
      fieldKind === 'enum' &&
      schema.enums[type]?.values.every(
        ({ dbName: stored }) => stored === undefined || stored === null,
      );
    const kind = isPlainEnum === true ? 'string' : KINDS[type];
    if (kind === undefined || isList === true) return null;
    columns[name] = { column: dbName ?? name, kind };
  }
  return columns;
}

/** A row as Prisma makes it. */
export const rowOfModel = ({ types }: MappedModel, row: Values): Values =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const made = MADE[types[name] ?? ''];
      return [name, value === null || made === undefined ? value : made(value)];
    }),
  );

/** The key in a row, or in `where`; undefined where a part of it is not there. */
export function keyIn({ key }: MappedModel, row: unknown): string[] | undefined {
  if (!isValues(row)) return undefined;
  const parts = key.map((name) => row[name]);
  return parts.some(
    (part) => part === undefined || part === null || (isValues(part) && !isScalar(part)),
  )
    ? undefined
    : parts.map(keyPartOf);
}

const isScalar = (value: unknown): boolean => value instanceof Date || value instanceof Uint8Array;

/** The key that a `where` of a unique row names, if it names nothing else. */
export function keyOfWhere(mapped: MappedModel, where: unknown): Key | undefined {
  if (!isValues(where)) return undefined;
  const [only, ...more] = Object.values(where);
  if (more.length > 0) return undefined;
  if (mapped.key.length === 1) return keyIn(mapped, where);
  // A composite key: `{ origin_destination: { origin, destination } }`.
  const isWhole = isValues(only) && Object.keys(only).length === mapped.key.length;
  return isWhole ? keyIn(mapped, only) : undefined;
}

/** Operations within nested writes, whose own values are of the same model. */
const NESTED = new Set([
  ...['create', 'createMany', 'connect', 'connectOrCreate', 'update', 'updateMany', 'upsert'],
  ...['delete', 'deleteMany', 'set', 'disconnect', 'data'],
]);

/** The models that nested writes of these values change. */
export function nestedModels(
  schema: DataModel,
  model: string,
  values: unknown,
  found = new Set<string>(),
): Set<string> {
  if (Array.isArray(values)) {
    for (const each of values) nestedModels(schema, model, each, found);
    return found;
  }
  if (!isValues(values)) return found;
  for (const [name, value] of Object.entries(values)) {
    const field = schema.models[model]?.fields.find((each) => each.name === name);
    if (field?.kind === 'object') {
      found.add(field.type);
      nestedModels(schema, field.type, value, found);
    } else if (field === undefined && NESTED.has(name)) nestedModels(schema, model, value, found);
  }
  return found;
}
