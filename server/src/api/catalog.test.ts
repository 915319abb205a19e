import type { Catalog } from '@lockstep/shared';
import { column, resource } from '@lockstep/testkit/doubles/resource';
import { startApi } from '@lockstep/testkit/doubles/api-server';
import { stubOps } from '@lockstep/testkit/doubles/stub-ops';
import { expect, it } from 'vitest';
import { CacheKeyTemplate, entryOwner, type Resource } from '../domain/index.ts';
import { catalog as schema } from './schemas.ts';

const day = column('day', 'date');
const RESOURCES: Resource[] = [
  resource(),
  resource({ name: 'orders', policy: 'none' }),
  resource({ name: 'flags', policy: 'delete-after-write', format: 'raw' }),
  resource({
    ...{ name: 'plan', policy: 'delete-after-write', keyColumns: [day], columns: [day] },
    cacheKey: new CacheKeyTemplate('plan:{day}'),
  }),
  resource({
    ...{ name: 'card', policy: 'delete-after-write', ttlMs: 1_000, negativeTtlMs: 500 },
    keyColumns: [column('name', 'text', { looseEquality: 'padding' })],
    cacheKey: new CacheKeyTemplate('card:{name}'),
    derivation: { source: { kind: 'loader' }, dependsOn: [] },
  }),
];

it('the catalog says of each resource what a reader of its entries needs', async () => {
  const switching = new Set<string>();
  const api = await startApi({
    resources: new Map(RESOURCES.map((each) => [each.name, each])),
    ops: { ...stubOps(), isSwitching: ({ name }) => switching.has(name) },
  });
  try {
    const answer = await api.call('GET', '/v1/resources');
    expect(answer.status).toBe(200);
    const { resources, ...rest } = schema.parse(answer.json) as Catalog;
    expect(rest).toEqual({
      ...{ cluster: 'test', cacheId: 'cache-1', hasReplicas: false },
      limits: { batchOperations: 20, bodyBytes: 16_384, transactionOperations: 20 },
    });
    expect(resources[0]).toEqual({
      ...{ name: 'account', kind: 'rows', policy: 'strict', level: 'redis', format: 'entry' },
      key: [{ name: 'id', type: 'integer', text: 'whole' }],
      ...{ cacheKey: 'account:{id}', owner: entryOwner('test', resource()), rows: 'account' },
      ...{ isReadable: true, isStrict: true, isPositioned: false },
    });
    const readable = resources.map(({ name, isReadable }) => [name, isReadable]);
    expect(readable).toEqual([
      ['account', true],
      ['orders', false],
      ['flags', false],
      ['plan', true],
      ['card', true],
    ]);
    expect(resources[3]?.key).toEqual([{ name: 'day', type: 'date', text: 'coordinator' }]);
    expect(resources[4]).toMatchObject({
      ...{ kind: 'computed', key: [{ text: 'trimmed' }] },
      life: { ttlMs: 1_000, ttlJitter: 0.1, negativeTtlMs: 500 },
    });
    switching.add('account');
    const again = (await api.call('GET', '/v1/resources')).json as unknown as Catalog;
    expect(again.resources[0]?.isReadable).toBe(false);
  } finally {
    await api.close();
  }
});
