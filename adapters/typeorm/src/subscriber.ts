/**
 * Invalidations that follow from what TypeORM does with entities.
 *
 * Its hooks know the row where an entity is saved or removed. Of a query builder, and of the methods of a repository that
 * are made of one (`update`, `delete`, `insert`, `upsert`), they know the table alone: the whole resource goes.
 *   - nothing is changed outside of a transaction: the invalidation could not commit with it
 *   - a statement of `query`, and what foreign keys and triggers change, has no hook
 */
import type {
  DataSource,
  EntityMetadata,
  EntitySubscriberInterface,
  ObjectLiteral,
  QueryRunner,
} from 'typeorm';
import { type EntityResources, keyOf, mapEntities, type MappedEntity } from './entities.ts';
import { invalidate } from './statements.ts';

interface Change {
  metadata: EntityMetadata;
  queryRunner: QueryRunner;
  /** The entity before and after. None: the hook does not know which rows it is. */
  rows: readonly ObjectLiteral[];
}
type Event = Pick<Change, 'metadata' | 'queryRunner'>;
type Stored = Event & { entity?: ObjectLiteral | undefined; databaseEntity?: ObjectLiteral };

/**
 * From now on, each change of these entities invalidates in its transaction.
 * @returns what ends it
 * @throws TypeError where a key names a property that the entity does not have
 */
export function subscribe(dataSource: DataSource, resources: EntityResources): () => void {
  const subscriber = new Invalidations(mapEntities(dataSource, resources));
  dataSource.subscribers.push(subscriber);
  return () => {
    const index = dataSource.subscribers.indexOf(subscriber);
    if (index >= 0) dataSource.subscribers.splice(index, 1);
  };
}

class Invalidations implements EntitySubscriberInterface {
  readonly #mapped: readonly MappedEntity[];
  /** What is being called on a connection: its statements go one after another. */
  readonly #calls = new WeakMap<QueryRunner, Promise<void>>();

  constructor(mapped: readonly MappedEntity[]) {
    this.#mapped = mapped;
  }

  beforeInsert = (event: Event): void => this.#mustBeInTransaction(event);
  beforeUpdate = (event: Event): void => this.#mustBeInTransaction(event);
  beforeRemove = (event: Event): void => this.#mustBeInTransaction(event);
  beforeSoftRemove = (event: Event): void => this.#mustBeInTransaction(event);
  beforeRecover = (event: Event): void => this.#mustBeInTransaction(event);

  /** Of a query builder it has no id: that may be an upsert, whose row is another one than its values say. */
  afterInsert = (event: Event & { entity: ObjectLiteral; entityId?: ObjectLiteral }) =>
    this.#invalidate({ ...event, rows: event.entityId === undefined ? [] : [event.entity] });
  afterUpdate = (event: Stored) => this.#stored(event);
  afterRemove = (event: Stored) => this.#stored(event);
  afterSoftRemove = (event: Stored) => this.#stored(event);
  afterRecover = (event: Stored) => this.#stored(event);

  /** Of a query builder there is no entity of the database; `entity` is then what it sets. */
  #stored({ entity, databaseEntity, ...event }: Stored): Promise<void> {
    const rows = databaseEntity === undefined ? [] : [databaseEntity, entity ?? databaseEntity];
    return this.#invalidate({ ...event, rows });
  }

  #of(metadata: EntityMetadata): MappedEntity[] {
    return this.#mapped.filter((each) => each.metadata === metadata);
  }

  #mustBeInTransaction({ metadata, queryRunner }: Event): void {
    if (queryRunner.isTransactionActive || this.#of(metadata).length === 0) return;
    throw new TypeError(
      `${metadata.name} must be changed in a transaction, so that its invalidation commits with it.`,
    );
  }

  async #invalidate({ metadata, queryRunner, rows }: Change): Promise<void> {
    const calls = this.#of(metadata).flatMap((mapped) => callsOf(mapped, rows));
    if (calls.length === 0) return;
    const before = this.#calls.get(queryRunner) ?? Promise.resolve();
    const called = before.then(async () => {
      for (const [resource, key] of calls) await invalidate(queryRunner.manager, resource, key);
    });
    this.#calls.set(
      queryRunner,
      called.catch(() => undefined),
    );
    await called;
  }
}

/** One call for each key, or one for the whole resource where no key is known. */
function callsOf(
  mapped: MappedEntity,
  rows: readonly ObjectLiteral[],
): [resource: string, key: string[]][] {
  const keys = new Map<string, string[]>();
  for (const row of rows) {
    // An entity that was removed has lost its key; the one of the database has it.
    const key = keyOf(mapped, row);
    if (key !== undefined) keys.set(JSON.stringify(key), key);
  }
  if (keys.size === 0) return [[mapped.resource, []]];
  return [...keys.values()].map((key) => [mapped.resource, key]);
}
