import { describe, expect, it } from 'vitest';
import { CacheKeyTemplate } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { ChangeCollector, isEmpty } from './collector.ts';
import { tablesOf } from './table-changes.ts';

const strict = resource();
const logged = resource({
  name: 'logged',
  table: 'loggeds',
  policy: 'change-log',
  cacheKey: new CacheKeyTemplate('logged:{id}'),
  invalidates: [new CacheKeyTemplate('owner:{owner}')],
});
/** Another resource on the table of `strict`. */
const second = resource({
  name: 'second',
  policy: 'delete-after-write',
  cacheKey: new CacheKeyTemplate('second:{id}'),
});
const row = (id: number, owner = 'ann'): Record<string, string> => ({ id: String(id), owner });

function collector(resources = [strict, logged]): ChangeCollector {
  return new ChangeCollector(tablesOf(resources), () => undefined);
}

describe('the collector of changes', () => {
  it('C1: a change that no version accounts for takes every value of its key away', () => {
    const one = collector();
    one.begin({ committedAtMs: 5 });
    one.row({ table: 'accounts', before: row(1), after: row(1, 'bob') });
    one.commit('0/1');
    const batch = one.take();
    expect([...batch.invalidations]).toEqual([['account:1', null]]);
    expect([...batch.bypassed]).toEqual([['accounts', 1]]);
    expect(batch).toMatchObject({ position: '0/1', oldestCommitAtMs: 5, changes: 1 });
    expect(isEmpty(one.take())).toBe(true);
  });

  it('C2: a change whose version was counted up before it is its own', () => {
    const one = collector();
    one.begin({ committedAtMs: 0 });
    one.mark('account', '1', 7);
    one.mark('account', '1', 7); // the fence is stored apart
    one.row({ table: 'accounts', before: row(1), after: row(1, 'bob') });
    one.row({ table: 'accounts', before: row(1, 'bob'), after: row(1, 'by trigger') });
    one.commit('0/1');
    one.begin({ committedAtMs: 0 });
    one.row({ table: 'accounts', before: null, after: row(1) });
    expect(one.take().bypassed.get('accounts')).toBe(2);
  });

  it('C2: of a transaction, whose keys’ rows are made before, each change is its own once', () => {
    const one = collector();
    one.begin({ committedAtMs: 0 });
    for (const key of ['1', '2']) one.mark('account', key, 0);
    for (const key of [1, 2]) {
      one.mark('account', String(key), 1);
      one.row({ table: 'accounts', before: null, after: row(key) });
    }
    one.row({ table: 'accounts', before: row(2), after: row(2, 'by trigger') });
    expect(one.take().bypassed.get('accounts')).toBe(1);
  });

  it('C2: its own write by change-log is invalidated with its version, and what hangs on it', () => {
    const one = collector();
    one.begin({ committedAtMs: 0 });
    one.mark('logged', '1', 3);
    one.row({ table: 'loggeds', before: row(1), after: row(1, 'bob') });
    one.commit('0/1');
    const { invalidations, bypassed } = one.take();
    expect(Object.fromEntries(invalidations)).toEqual({
      'logged:1': 3,
      'owner:ann': null,
      'owner:bob': null,
    });
    expect(bypassed.size).toBe(0);
  });

  it('C2: a write through one resource goes round the others of its table, and is not counted', () => {
    const one = collector([strict, second]);
    one.begin({ committedAtMs: 0 });
    one.mark('account', '1', 3);
    one.row({ table: 'accounts', before: row(1), after: row(1, 'bob') });
    const { invalidations, bypassed } = one.take();
    expect(Object.fromEntries(invalidations)).toEqual({ 'second:1': null });
    expect(bypassed.size).toBe(0);
  });

  it('C1: of a write and a change round it in one stretch the change counts', () => {
    for (const isFirst of [true, false]) {
      const one = collector();
      const own = (): void => {
        one.begin({ committedAtMs: 0 });
        one.mark('logged', '1', 3);
        one.row({ table: 'loggeds', before: null, after: row(1) });
        one.commit('0/1');
      };
      if (isFirst) own();
      one.begin({ committedAtMs: 0 });
      one.row({ table: 'loggeds', before: null, after: row(1) });
      one.commit('0/2');
      if (!isFirst) own();
      expect(one.take().invalidations.get('logged:1')).toBeNull();
    }
  });

  it('C3: a key that changes concerns both, and one that the log does not tell sweeps the resource', () => {
    const one = collector();
    one.begin({ committedAtMs: 0 });
    one.row({ table: 'accounts', before: row(1), after: row(2) });
    one.row({ table: 'loggeds', before: { owner: 'ann' }, after: null });
    const { invalidations, sweeps } = one.take();
    expect([...invalidations.keys()]).toEqual(['account:1', 'account:2', 'owner:ann']);
    expect([...sweeps.keys()]).toEqual(['logged']);
  });

  it('C4: what a table lost sweeps every resource on it', () => {
    const one = collector([strict, second, logged]);
    one.lost('accounts', 'truncated');
    expect([...one.take().sweeps.keys()]).toEqual(['account', 'second']);
  });

  it('C5: it has no more room when full, until what it has is taken', async () => {
    const one = collector();
    one.begin({ committedAtMs: 0 });
    for (let id = 0; one.room() === null; id++) {
      one.row({ table: 'accounts', before: null, after: row(id) });
      expect(id).toBeLessThan(10_000);
    }
    const room = one.room();
    const { invalidations, position } = one.take();
    expect(invalidations.size).toBe(5_000);
    expect(position).toBeNull();
    await room;
    expect(one.room()).toBeNull();
  });

  it('C6: a transaction that has not ended moves no position, however much of it is taken', () => {
    const one = collector();
    one.begin({ committedAtMs: 0 });
    one.row({ table: 'accounts', before: null, after: row(1) });
    one.caughtUp('0/9', false);
    expect(one.take().position).toBeNull();
    one.commit('0/3');
    one.caughtUp('0/9', true);
    expect(one.take()).toMatchObject({ position: '0/9', isUrgent: true });
  });
});
