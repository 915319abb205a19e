import { describe, expect, it } from 'vitest';
import { column, resource } from '@lockstep/testkit/doubles/resource';
import { CacheKeyTemplate } from './cache-key.ts';
import { cacheKeysOf, keyPrefix } from './key-prefix.ts';
import { SharedRows } from './shared-rows.ts';

const origin = column('origin', 'text');
const day = column('day', 'integer');
const price = column('price', 'decimal');
const keyColumns = [origin, day, price];
const route = resource({
  name: 'route',
  keyColumns,
  columns: [...keyColumns, column('carrier', 'text')],
  cacheKey: new CacheKeyTemplate('route:{origin}:{day}:{price}'),
  invalidates: [
    new CacheKeyTemplate('board:{origin}:{day}'),
    new CacheKeyTemplate('fare:{price}'),
    new CacheKeyTemplate('carrier:{carrier}'),
  ],
});

const found = (parts: string[], cacheKeys: string[]): string[] =>
  cacheKeys.filter(cacheKeysOf(keyPrefix(route, parts)));

describe('the cache keys of all rows that begin with the same parts', () => {
  it('are those of the rows, whatever the parts hold', () => {
    const keys = [
      'route:JFK:1:2',
      'route:JFK:2:2',
      'route:JFK%3A1:1:2',
      'route:BER:1:2',
      'other:JFK:1:2',
    ];
    expect(found(['JFK'], keys)).toEqual(['route:JFK:1:2', 'route:JFK:2:2']);
    expect(found(['JFK:1'], keys)).toEqual(['route:JFK%3A1:1:2']);
    expect(found(['JFK', '002'], keys)).toEqual(['route:JFK:2:2']);
    expect(found([], keys)).toEqual(keys.slice(0, 4));
  });

  it('are those that may hang on the rows, where a template does not tell', () => {
    const keys = ['board:JFK:1', 'board:JFK:2', 'board:BER:1', 'carrier:any', 'fare:3'];
    expect(found(['JFK', '1'], keys)).toEqual(['board:JFK:1', 'carrier:any', 'fare:3']);
  });

  it('are compared by what the parts mean, not by their spelling', () => {
    const priced = resource({
      keyColumns: [price, day],
      columns: [price, day],
      cacheKey: new CacheKeyTemplate('priced:{price}:{day}'),
      invalidates: [new CacheKeyTemplate('fare:{price}')],
    });
    const test = cacheKeysOf(keyPrefix(priced, ['1.50']));
    // A row's own text of the value keeps the zeros.
    expect(
      ['priced:1.5:7', 'priced:1.6:7', 'fare:1.50', 'fare:1.5', 'fare:1.6'].filter(test),
    ).toEqual(['priced:1.5:7', 'fare:1.50', 'fare:1.5']);
  });

  it('K2: are those of every resource that shares the rows, in its own order of columns', () => {
    const cacheKey = new CacheKeyTemplate('by-day:{day}:{origin}');
    const byDay = resource({
      name: 'by-day',
      policy: 'refresh',
      keyColumns: [day, origin],
      cacheKey,
    });
    const uncached = resource({
      name: 'uncached',
      policy: 'none',
      keyColumns: [day, origin],
      cacheKey: new CacheKeyTemplate('uncached:{day}:{origin}'),
    });
    const named = resource({
      keyColumns: [origin, day],
      cacheKey: new CacheKeyTemplate('r:{origin}:{day}'),
    });
    named.shared = new SharedRows('rows', [0, 1], [byDay, uncached]);
    byDay.shared = new SharedRows('rows', [1, 0], [named, uncached]);
    uncached.shared = new SharedRows('rows', [1, 0], [named, byDay]);
    const test = cacheKeysOf(keyPrefix(named, ['JFK']));
    const keys = ['r:JFK:1', 'by-day:1:JFK', 'by-day:1:BER', 'uncached:1:JFK'];
    expect(keys.filter(test)).toEqual(['r:JFK:1', 'by-day:1:JFK']);
  });

  it('have no parts that their columns cannot hold, nor as many as the key', () => {
    expect(() => keyPrefix(route, ['JFK', 'monday'])).toThrow('key.day must be a whole number');
    expect(() => keyPrefix(route, ['JFK', '1', '2'])).toThrow('fewer than 3');
  });
});
