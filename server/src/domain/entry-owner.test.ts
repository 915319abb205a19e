import { column, resource } from '@lockstep/testkit/doubles/resource';
import { describe, expect, it } from 'vitest';
import { CacheKeyTemplate } from './cache-key.ts';
import { entryOwner } from './entry-owner.ts';
import { parseQuery } from './query-text.ts';
import type { Dependency, Resource } from './resource.ts';
import { DIALECTS } from '../dialects/index.ts';

const owner = (changed: Partial<Resource>): string => entryOwner('shop', resource(changed));
const accounts = (name: string): Dependency => ({
  table: 'accounts',
  ...{ columns: [column(name, 'text')], identity: [] },
  cacheKey: new CacheKeyTemplate('rich:{owner}'),
});
const query = (text: string, changed: Partial<Resource> = {}, by = 'owner'): string =>
  owner({
    keyColumns: [column('owner', 'text')],
    columns: [column('rows', 'json')],
    derivation: {
      source: { kind: 'query', text: parseQuery(text, DIALECTS.pg.queries.spelling), maxRows: 100 },
      dependsOn: [accounts(by)],
    },
    ...changed,
  });

describe('the owner of an entry', () => {
  it.each<[string, Partial<Resource>]>([
    ['another table', { table: 'accounts_2' }],
    ['the table of that name in another schema', { schema: 'archive' }],
    ['another column as the key', { keyColumns: [column('balance', 'bigint')] }],
    ['a column less', { columns: [column('id', 'integer')] }],
  ])('changes with %s', (_, changed) => {
    expect(owner(changed)).not.toBe(owner({}));
  });

  it('changes with what a query asks, its parameters and what it depends on', () => {
    const text = 'select id from accounts where owner = {owner}';
    const owners = [
      query(text),
      query(`${text} and balance > 0`),
      query(text, { keyColumns: [column('owner', 'uuid')] }),
      query(text, {}, 'holder'),
    ];
    expect(new Set(owners).size).toBe(owners.length);
  });

  it('stays with the policy, the times to live and what an audit does', () => {
    expect(owner({ policy: 'delete-after-write', ttlMs: 1, audit: null })).toBe(owner({}));
  });
});
