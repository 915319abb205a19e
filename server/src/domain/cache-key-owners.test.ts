import { describe, expect, it } from 'vitest';
import { CacheKeyTemplate } from './cache-key.ts';
import { CacheKeyOwners } from './cache-key-owners.ts';
import { column, resource } from '@lockstep/testkit/doubles/resource';

const slug = column('slug', 'text');
const of = (name: string, template: string, invalidates: string[] = []) =>
  resource({
    name,
    keyColumns: [slug],
    cacheKey: new CacheKeyTemplate(template),
    invalidates: invalidates.map((text) => new CacheKeyTemplate(text)),
  });

describe('the owner of a cache key', () => {
  const resources = new Map(
    [
      of('page', 'page:{slug}', ['tag:{tag}']),
      of('stats', 'page:{slug}:stats'),
      of('any', '{slug}/x'),
    ].map((each) => [each.name, each]),
  );
  const owners = new CacheKeyOwners(resources);

  it('is the resource that can have made it', () => {
    expect(owners.of('page:home')?.name).toBe('page');
    expect(owners.of('page:home:stats')?.name).toBe('stats');
    expect(owners.of('home/x')?.name).toBe('any');
    expect(owners.of('tag:new')).toBeNull();
    expect(owners.of('page:home:other')).toBeNull();
    expect(owners.isInvalidated('tag:new')).toBe(true);
    expect(owners.isInvalidated('lockstep:lock:page:home')).toBe(false);
  });

  it('follows the configuration', () => {
    resources.delete('stats');
    resources.delete('any');
    owners.refresh();
    expect(owners.of('page:home:stats')).toBeNull();
    expect(owners.maker('page:home')?.name).toBe('page');
    expect(owners.maker('home/x')).toBeNull();
  });
});
