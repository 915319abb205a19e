import type { Column, Resource } from '../../server/src/domain/index.ts';
import { CacheKeyTemplate } from '../../server/src/domain/cache-key.ts';

const COLUMN: Omit<Column, 'name' | 'type' | 'sqlType'> = {
  nullable: true,
  hasDefault: false,
  generated: false,
  maxLength: null,
  range: null,
};

/** A column for tests. */
export function column(name: string, type: Column['type'], rest: Partial<Column> = {}): Column {
  return { ...COLUMN, name, type, sqlType: type, ...rest };
}

/** A resource for tests: `accounts(id integer, owner text, balance bigint)`, strict. */
export function resource(rest: Partial<Resource> = {}): Resource {
  const id = column('id', 'integer', { range: { min: -(2n ** 31n), max: 2n ** 31n - 1n } });
  return {
    name: 'account',
    table: 'accounts',
    keyColumns: [id],
    columns: [id, column('owner', 'text'), column('balance', 'bigint')],
    policy: 'strict',
    cacheKey: new CacheKeyTemplate('account:{id}'),
    ttlMs: 600_000,
    ttlJitter: 0.1,
    negativeTtlMs: 30_000,
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
