import type { Row } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import type { StoredEntry } from '../cache/port.ts';
import { LockstepError, makeKey } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { memberNamed } from '@lockstep/testkit/doubles/router';
import { createKeyInspector, type KeyInspectorOptions } from './key-inspector.ts';

const key = makeKey(resource(), ['1']);
const row: Row = { id: 1, owner: 'ann' };

function inspect(entry: StoredEntry['entry'] | null, parts: Partial<KeyInspectorOptions> = {}) {
  const inspector = createKeyInspector({
    rows: { read: () => Promise.resolve({ version: 3, fence: 9, row }) },
    entries: {
      read: () => Promise.resolve(entry === null ? null : { entry, text: 'text' }),
      ttlMs: () => Promise.resolve(entry === null ? undefined : 500),
    },
    locks: { snapshot: () => ({ held: [], waiting: [] }) },
    router: {
      homeOf: () => memberNamed('two', 'http://two.test'),
      shownUrl: ({ url }) => url,
    },
    events: () => [],
    instance: 'i1',
    clock: { nowMs: () => 0, wallMs: () => 1000 },
    ...parts,
  });
  return inspector(key);
}
const value = (version: number, cached: Row | null): StoredEntry['entry'] => ({
  state: 'value',
  version,
  fence: 9,
  writtenAtMs: 900,
  row: cached,
});
const down = (): Promise<never> => Promise.reject(new LockstepError('CACHE_UNAVAILABLE', 'down'));

describe('a key’s two sides', () => {
  it('agree where the entry is the row', async () => {
    expect(await inspect(value(3, row))).toMatchObject({
      resource: 'account',
      key: '1',
      cacheKey: 'account:1',
      database: { version: 3, fence: 9, row },
      cache: { state: 'value', version: 3, ageMs: 100, ttlMs: 500, value: row, bytes: 4 },
      home: { instance: 'two', url: 'http://two.test', isSelf: false },
      agrees: true,
    });
  });

  it.each([
    ['another row', value(3, { id: 1, owner: 'bob' }), false],
    ['a version that the database has not', value(4, row), false],
    ['a negative entry of a row that is there', value(3, null), false],
    ['what cannot be read', { state: 'corrupt', reason: 'x' } as const, false],
    ['a tombstone', { state: 'tombstone', version: 3, fence: 9, writtenAtMs: 1 } as const, true],
    [
      'an intent',
      {
        state: 'intent',
        version: 2,
        fence: 9,
        writtenAtMs: 1,
        intentId: 'a',
        marked: false,
      } as const,
      true,
    ],
    ['nothing', null, true],
  ])('with %s in the cache', async (_name, entry, expected) => {
    expect((await inspect(entry)).agrees).toBe(expected);
  });

  it('are read again before they are said to disagree: a write may have come between', async () => {
    const rows = [
      { version: 4, fence: 9, row },
      { version: 3, fence: 9, row },
    ];
    const read = () => Promise.resolve(rows.pop() ?? { version: 4, fence: 9, row });
    expect((await inspect(value(4, row), { rows: { read } })).agrees).toBe(true);
  });

  it('are shown as far as they answer', async () => {
    const entries = { read: down, ttlMs: down };
    expect(await inspect(null, { entries })).toMatchObject({
      cache: null,
      database: { version: 3 },
      agrees: null,
    });
    expect(await inspect(value(3, row), { rows: { read: down } })).toMatchObject({
      database: null,
      agrees: null,
    });
  });

  it('come with the lock, where this instance holds it', async () => {
    const held = {
      resource: 'account',
      key: '1',
      fence: 9,
      purpose: 'write',
      heldMs: 5,
      leftMs: 95,
      ttlMs: 100,
      waiting: 2,
    } as const;
    const locks = { snapshot: () => ({ held: [held], waiting: [] }) };
    expect((await inspect(null, { locks })).lock).toEqual({
      instance: 'i1',
      heldMs: 5,
      leftMs: 95,
      waiting: 2,
      purpose: 'write',
    });
    const lease = { leftMs: 40_000, ttlMs: 60_000 };
    const leased = { ...held, purpose: 'lease', lease } as const;
    const snapshot = () => ({ held: [leased], waiting: [] });
    expect((await inspect(null, { locks: { snapshot } })).lock).toMatchObject({
      purpose: 'lease',
      leaseLeftMs: 40_000,
    });
  });
});
