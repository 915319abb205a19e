import { keyPartOf } from '@lockstep/client/sql';
import type { ColumnKind } from '@lockstep/client/sql';
import type { DataSource, EntityMetadata, EntityTarget, ObjectLiteral } from 'typeorm';

/** The entity whose rows are a resource. */
export interface EntityResource<Entity extends ObjectLiteral = ObjectLiteral> {
  entity: EntityTarget<Entity>;
  /** The properties of the resource's key, in its order. Default: the entity's primary columns. */
  key?: readonly (keyof Entity & string)[];
  /**
   * Of properties whose column does not say it: what the driver gives for their values (docs/adapters.md). For reads
   * only.
   */
  columns?: Readonly<Partial<Record<keyof Entity & string, ColumnKind>>>;
}

/** Entities by the names of their resources. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- an entity's type stands in both directions
export type EntityResources = Readonly<Record<string, EntityResource<any>>>;

/** A resource of an entity, as TypeORM knows it. */
export interface MappedEntity {
  resource: string;
  metadata: EntityMetadata;
  keyColumns: EntityMetadata['columns'];
  kinds: Readonly<Record<string, ColumnKind | undefined>>;
}

/** @throws TypeError where a key names a property that the entity does not have */
export function mapEntities(dataSource: DataSource, resources: EntityResources): MappedEntity[] {
  return Object.entries(resources).map(([resource, { entity, key, columns = {} }]) => {
    const metadata = dataSource.getMetadata(entity);
    const keyColumns = (key ?? metadata.primaryColumns.map(({ propertyName }) => propertyName)).map(
      (property) => {
        const column = metadata.findColumnWithPropertyName(property);
        if (column !== undefined) return column;
        throw new TypeError(`The entity ${metadata.name} has no column ${property}.`);
      },
    );
    return { resource, metadata, keyColumns, kinds: columns };
  });
}

/** An entity's key; undefined where a part of it is not there. */
export function keyOf({ keyColumns }: MappedEntity, entity: ObjectLiteral): string[] | undefined {
  const parts = keyColumns.map((column) => column.getEntityValue(entity, true) as unknown);
  return parts.some((part) => part === undefined || part === null)
    ? undefined
    : parts.map(keyPartOf);
}
