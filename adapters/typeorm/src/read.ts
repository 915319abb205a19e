/** Entities by their key, through the client. */
import type { Key } from '@lockstep/client';
import {
  type ColumnKind,
  type ColumnMap,
  keyPartsOf,
  type KeyReader,
  readThrough,
} from '@lockstep/client/sql';
import type { DataSource, EntityMetadata, EntityTarget, ObjectLiteral } from 'typeorm';
import { type EntityResources, mapEntities, type MappedEntity } from './entities.ts';
import { databaseOf } from './statements.ts';

type Column = EntityMetadata['columns'][number];

/**
 * What the drivers give for a column's type, before TypeORM makes the property of it. Missing are types of which the
 * cache has another value: times that hold no instant or are read in the zone of a session, `char` on PostgreSQL, which
 * is filled with blanks, and `float` on MySQL, which the server shortens.
 */
const COMMON: Readonly<Record<string, ColumnKind>> = {
  ...kindOf('string', 'varchar', 'text', 'uuid', 'time', 'enum', 'simple-enum', 'decimal'),
  ...kindOf('string', 'simple-array', 'simple-json', 'numeric', 'bigint', 'dec', 'nvarchar'),
  ...kindOf('number', 'int', 'integer', 'smallint', 'double', 'double precision'),
  ...kindOf('day', 'date'),
  ...kindOf('json', 'json'),
};
const KINDS: Readonly<Record<'pg' | 'mysql2', Readonly<Record<string, ColumnKind>>>> = {
  pg: {
    ...COMMON,
    ...kindOf('number', 'int2', 'int4', 'real', 'float', 'float4', 'float8'),
    ...kindOf('string', 'int8', 'character varying', 'citext'),
    ...kindOf('boolean', 'boolean', 'bool'),
    ...kindOf('date', 'timestamptz', 'timestamp with time zone'),
    ...kindOf('json', 'jsonb'),
    ...kindOf('bytes', 'bytea'),
  },
  mysql2: {
    ...COMMON,
    ...kindOf('number', 'tinyint', 'mediumint', 'bool', 'boolean', 'year'),
    ...kindOf('string', 'char', 'tinytext', 'mediumtext', 'longtext', 'set'),
    ...kindOf('bytes', 'blob', 'tinyblob', 'mediumblob', 'longblob', 'binary', 'varbinary'),
  },
};

function kindOf(kind: ColumnKind, ...types: string[]): Record<string, ColumnKind> {
  return Object.fromEntries(types.map((type) => [type, kind]));
}

/** The entity of a resource. */
type EntityOf<R> = R extends { entity: EntityTarget<infer Entity> } ? Entity : never;

/** Reads an entity by its key through the cache. Resolves to null if there is no such row, as `findOneBy` does. */
export type Read<R extends EntityResources> = <Name extends keyof R & string>(
  resource: Name,
  key: Key,
) => Promise<EntityOf<R[Name]> | null>;

/**
 * Makes the function that reads entities by their key through the client: from the cache, else by a coordinator, and by
 * TypeORM where neither answers, or where the cache's row has a value that the driver would give in another way.
 *
 * It is for reads outside of transactions: in one, read with its manager.
 * @throws TypeError where the cache's row cannot make the entity: a column whose type does not say what the driver gives
 *   (name it in `columns`), listeners after a load, eager or lazy relations, embedded entities, inheritance
 */
export function createRead<const R extends EntityResources>(
  lockstep: KeyReader,
  dataSource: DataSource,
  resources: R,
): Read<R> {
  const readers = new Map(
    mapEntities(dataSource, resources).map((mapped) => [
      mapped.resource,
      readerOf(lockstep, dataSource, mapped),
    ]),
  );
  return async (resource, key) => {
    const reader = readers.get(resource);
    if (reader === undefined) throw new TypeError(`The resource ${resource} has no entity here.`);
    return (await reader(key)) as EntityOf<R[typeof resource]> | null;
  };
}

function readerOf(lockstep: KeyReader, dataSource: DataSource, mapped: MappedEntity) {
  const { metadata, keyColumns, resource } = mapped;
  refuseWhatNoRowMakes(metadata);
  const read = metadata.columns.filter(({ isSelect, isVirtual }) => isSelect && !isVirtual);
  const columns: ColumnMap = Object.fromEntries(
    read.map((column) => [
      column.propertyName,
      { column: column.databaseName, kind: kindOfColumn(dataSource, mapped, column) },
    ]),
  );
  const properties = keyColumns.map(({ propertyName }) => propertyName);
  const repository = dataSource.getRepository<ObjectLiteral>(metadata.target);
  return async (key: Key): Promise<ObjectLiteral | null> => {
    const where = Object.fromEntries(keyPartsOf(properties, key));
    let isStored = false;
    const row = await readThrough(lockstep, [resource, key], columns, () => {
      isStored = true;
      return repository.findOneBy(where);
    });
    return row === null || isStored ? row : entityOf(dataSource, metadata, read, row);
  };
}

/** The entity as TypeORM makes it of a row; null where it was removed softly. */
function entityOf(
  dataSource: DataSource,
  metadata: EntityMetadata,
  columns: readonly Column[],
  row: Record<string, unknown>,
): ObjectLiteral | null {
  const { deleteDateColumn } = metadata;
  if (deleteDateColumn !== undefined && (row[deleteDateColumn.propertyName] ?? null) !== null)
    return null;
  const entity = metadata.create(undefined, { fromDeserializer: true }) as ObjectLiteral;
  for (const column of columns) {
    const value: unknown = dataSource.driver.prepareHydratedValue(row[column.propertyName], column);
    column.setEntityValue(entity, value);
  }
  return entity;
}

function refuseWhatNoRowMakes(metadata: EntityMetadata): void {
  const faults: Record<string, boolean> = {
    'listeners after a load': metadata.afterLoadListeners.length > 0,
    'eager or lazy relations': metadata.eagerRelations.length + metadata.lazyRelations.length > 0,
    'embedded entities': metadata.embeddeds.length > 0,
    inheritance: metadata.inheritancePattern !== undefined,
    'ids of relations': metadata.relationIds.length > 0,
    'columns that are computed by a query': metadata.columns.some(
      ({ isVirtualProperty }) => isVirtualProperty,
    ),
  };
  for (const [what, isThere] of Object.entries(faults))
    if (isThere)
      throw new TypeError(`${metadata.name} has ${what}: it cannot be made of a cached row.`);
}

function kindOfColumn(
  dataSource: DataSource,
  { kinds, metadata }: MappedEntity,
  column: Column,
): ColumnKind {
  const { propertyName, type, isArray } = column;
  const declared = kinds[propertyName];
  if (declared !== undefined) return declared;
  const { dialect } = databaseOf(dataSource.manager);
  const name = dataSource.driver.normalizeType(column);
  const kind = isArray ? undefined : (KINDS[dialect][name] ?? KINDS[dialect][String(type)]);
  if (kind !== undefined) return kind;
  throw new TypeError(
    `${metadata.name}.${propertyName} is ${name}${isArray ? '[]' : ''}: say in columns what the driver gives for it.`,
  );
}
