import type { Row } from '@lockstep/shared';
import {
  CacheKeyTemplate,
  entryOwner,
  keyFromCacheKey,
  keyFromText,
  type Column,
  type Key,
  type Resource,
} from '../../../server/src/domain/index.ts';
import type { TableRules } from '../servers/memory-database.ts';

const COLUMN = {
  nullable: false,
  hasDefault: false,
  generated: false,
  maxLength: null,
  range: null,
} as const;

const id: Column = {
  ...COLUMN,
  name: 'id',
  type: 'integer',
  sqlType: 'integer',
  range: { min: 0n, max: 2n ** 31n - 1n },
};
const mark: Column = { ...COLUMN, name: 'mark', type: 'text', sqlType: 'text' };
const count: Column = {
  ...COLUMN,
  name: 'count',
  type: 'bigint',
  sqlType: 'bigint',
  hasDefault: true,
};

const NEGATIVE_TTL_SHARE = 0.5;

/** The tables of the simulated database: `(id, mark, count)`. A count below 0 is refused. */
export const TABLE_RULES: TableRules = {
  defaults: { mark: '', count: 0 },
  brokenBy: ({ count }: Row) => (Number(count) < 0 ? 'count_not_negative' : null),
};

/** The resource whose keys the database makes. */
export const INSERTED = 'ticket';

/** The resource whose values clients keep in memory. */
export const LOCAL = 'price';

/** What entries say of whose they are. */
export const CLUSTER = 'simulated';

const value: Column = { ...COLUMN, name: 'value', type: 'json', sqlType: 'value', generated: true };

/** The template of the computed resource's entries, which is also what rows name that it depends on. */
const CARD = new CacheKeyTemplate('card:{id}');

/**
 * `account`: strict. `order`: strict, its writes leave tombstones and invalidate related keys. `note`:
 * delete-after-write with related keys. `ticket`: strict, with a key that the
 * database makes. `card`: computed from the account and the note of its id. `price`: kept by clients in their memory.
 */
export function simulatedResources(
  valueTtlMs: number,
  hasLocal: boolean,
): ReadonlyMap<string, Resource> {
  const made = [
    resource('account', valueTtlMs, { invalidates: [CARD] }),
    resource('order', valueTtlMs, {
      onWrite: 'delete',
      invalidates: [new CacheKeyTemplate('orders-with:{mark}')],
    }),
    resource('note', valueTtlMs, {
      policy: 'delete-after-write',
      invalidates: [new CacheKeyTemplate('notes-with:{mark}'), CARD],
    }),
    resource(INSERTED, valueTtlMs, {}),
    computed('card', valueTtlMs),
    ...(hasLocal
      ? [resource(LOCAL, valueTtlMs, { policy: 'delete-after-write', level: 'local' })]
      : []),
  ];
  return new Map(made.map((one) => [one.name, one]));
}

function computed(name: string, valueTtlMs: number): Resource {
  const dependsOn = ['accounts', 'notes'].map((table) => ({
    ...{ table, columns: [id], identity: [id], cacheKey: CARD },
  }));
  return resource(name, valueTtlMs, {
    ...{ table: '', columns: [value], policy: 'delete-after-write', cacheKey: CARD },
    derivation: { source: { kind: 'loader' }, dependsOn },
  });
}

function resource(name: string, valueTtlMs: number, rest: Partial<Resource>): Resource {
  return {
    name,
    table: `${name}s`,
    keyColumns: [id],
    columns: [id, mark, count],
    policy: 'strict',
    cacheKey: new CacheKeyTemplate(`${name}:{id}`),
    ttlMs: valueTtlMs,
    ttlJitter: 0.1,
    negativeTtlMs: valueTtlMs * NEGATIVE_TTL_SHARE,
    onWrite: 'set',
    invalidates: [],
    audit: null,
    format: 'entry',
    level: 'redis',
    rollout: 'own',
    secondDeleteAfterMs: null,
    refresh: null,
    ...rest,
  };
}

/** The key with the name `RESOURCE:KEY`, which is also its cache key. */
export function keyNamed(resources: ReadonlyMap<string, Resource>, name: string): Key {
  const [resourceName = '', text = ''] = name.split(':');
  const found = resources.get(resourceName);
  if (found === undefined) throw new Error(`there is no resource ${resourceName}`);
  return keyFromText(found, text);
}

/** The key of this entry; null for any other cache key. */
export function keyOfEntry(resources: ReadonlyMap<string, Resource>, cacheKey: string): Key | null {
  for (const one of resources.values()) {
    const key = keyFromCacheKey(one, cacheKey);
    if (key !== null) return key;
  }
  return null;
}

/** What the header of this entry says of whose it is; undefined for any other cache key. */
export function ownerOfEntry(
  resources: ReadonlyMap<string, Resource>,
  cacheKey: string,
): string | undefined {
  const key = keyOfEntry(resources, cacheKey);
  return key === null ? undefined : entryOwner(CLUSTER, key.resource);
}
