import { describe, expect, it } from 'vitest';
import { CacheKeyTemplate } from './cache-key.ts';
import {
  sharedCacheFaults,
  sharedLockNames,
  announcedResource,
  type AnnouncedCluster,
} from './cluster-keys.ts';
import type { ColumnType } from './column.ts';
import { languagesOf } from './part-language.ts';
import type { Resource } from './resource.ts';
import { column, resource } from '@lockstep/testkit/doubles/resource';

const TYPES: Record<string, ColumnType> = {
  id: 'integer',
  u: 'uuid',
  at: 'timestamp@Europe/Berlin',
};

function using(text: string, rest: Partial<Resource> = {}, name = 'page'): Resource {
  const { columns: names } = new CacheKeyTemplate(text);
  const columns = names.map((each) =>
    column(
      each,
      TYPES[each] ?? 'text',
      each === 'n' ? { type: 'bigint', range: { min: 0n, max: 9n } } : {},
    ),
  );
  const cacheKey = new CacheKeyTemplate(text, { languageOf: languagesOf(columns) });
  return resource({ name, columns, keyColumns: columns, cacheKey, ...rest });
}

/** An announcement as it arrives through a server. */
const received = (...resources: Resource[]): AnnouncedCluster =>
  JSON.parse(
    JSON.stringify({ name: 'postgresql://db/shop', resources: resources.map(announcedResource) }),
  ) as AnnouncedCluster;
const faultsOf = (own: Resource[], ...others: Resource[]): string[] =>
  sharedCacheFaults(own.map(announcedResource), received(...others)).map(
    ({ path, message }) => `${path}: ${message}`,
  );
const deletes = (text: string, name = 'writer'): Resource =>
  using(`${name}:{id}`, { invalidates: [using(text).cacheKey] }, name);

describe('K4: templates of two clusters on one cache', () => {
  it.each([
    ['page:{slug}', 'page:{slug}'],
    ['page:{slug}', 'page:{other}'],
    ['page-{slug}', 'page-{slug}-stats'],
    ['page:{id}', 'page:{slug}'],
    ['{slug}', 'vault{id}'],
    ['x:{at}', 'x:{id}'],
    ['x:{n}', 'x:{id}'],
  ])('%s and %s are refused from either side, with both named', (one, other) => {
    for (const [own, theirs] of [
      [one, other],
      [other, one],
    ] as const) {
      const faults = faultsOf([using(own)], using(theirs, {}, 'theirs'));
      expect(faults).toHaveLength(1);
      expect(faults[0]).toContain(
        `resources.page.cacheKey: ${own} and ${theirs} of the cluster postgresql://db/shop (its resource theirs)`,
      );
    }
  });

  it.each([
    ['page:{slug}', 'shop:page:{slug}'],
    ['page:{slug}', 'page:{slug}:stats'],
    ['x:{id}', 'x:{u}'],
    ['x:{n}', 'x:-{n}'],
  ])('%s and %s stand side by side', (one, other) => {
    expect(faultsOf([using(one)], using(other))).toEqual([]);
    expect(faultsOf([using(other)], using(one))).toEqual([]);
  });

  it('what one invalidates is not an entry of the other; what both only invalidate is nobody’s', () => {
    expect(faultsOf([using('feed:{owner}')], deletes('feed:{name}'))).toHaveLength(1);
    expect(faultsOf([deletes('feed:{name}')], using('feed:{owner}'))).toEqual([
      expect.stringContaining('resources.writer.invalidates: feed:{name} and feed:{owner}'),
    ]);
    expect(faultsOf([deletes('feed:{name}')], deletes('feed:{owner}', 'theirs'))).toEqual([]);
  });

  it('what is never cached needs no template of its own', () => {
    const uncached = using('page:{slug}', { policy: 'none' });
    expect(faultsOf([uncached], using('page:{slug}'))).toEqual([]);
    expect(faultsOf([using('page:{slug}')], uncached)).toEqual([]);
  });

  it('tables that are refreshed under one name are refused, whatever their templates', () => {
    const refreshed = (text: string): Resource => using(text, { policy: 'refresh' }, 'rates');
    expect(faultsOf([refreshed('a:{id}')], refreshed('b:{id}'))).toEqual([
      expect.stringMatching(/^resources\.rates\.policy: is refresh, as that of resource rates/),
    ]);
    expect(faultsOf([refreshed('a:{id}')], using('b:{id}', {}, 'rates'))).toEqual([]);
  });

  it('a text of another one that is no template is passed over', () => {
    const other = received(using('page:{slug}'));
    const broken = other.resources.map((each) => ({
      ...each,
      cacheKey: { text: '{', columns: {} },
    }));
    expect(
      sharedCacheFaults([announcedResource(using('page:{slug}'))], { ...other, resources: broken }),
    ).toEqual([]);
  });
});

it('locks of two clusters meet where their rows are kept under one name', () => {
  const own = [using('a:{id}', {}, 'account'), using('b:{id}', {}, 'profile')].map(
    announcedResource,
  );
  expect(sharedLockNames(own, received(using('c:{id}', {}, 'account')))).toEqual(['account']);
});
