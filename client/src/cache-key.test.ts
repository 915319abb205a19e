import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { column, resource } from '@lockstep/testkit/doubles/resource';
import {
  CacheKeyTemplate,
  type Column,
  keyFromJson,
  keyTextRule,
  LockstepError,
} from '../../server/src/domain/index.ts';
import { CacheKeys } from './cache-key.ts';

const COLUMNS: readonly Column[] = [
  column('k', 'integer', { range: { min: -(2n ** 31n), max: 2n ** 31n - 1n } }),
  column('k', 'bigint', { range: { min: -(2n ** 63n), max: 2n ** 63n - 1n } }),
  column('k', 'text', { maxLength: 20 }),
  column('k', 'text'),
  column('k', 'uuid'),
  column('k', 'boolean'),
  column('k', 'boolean', { range: { min: -128n, max: 127n } }),
  column('k', 'text', { looseEquality: 'padding' }),
  column('k', 'text', { looseEquality: 'any' }),
  column('k', 'other', { enumeration: true, members: ['a', 'B'] }),
  column('k', 'decimal'),
  column('k', 'date'),
  column('k', 'time'),
  column('k', 'timestamp'),
  column('k', 'bytes'),
  column('k', 'timestamp@Europe/Berlin'),
];

const digits = fc.tuple(
  fc.constantFrom('', '-', '0', '00', '+'),
  fc.bigInt({ min: 0n, max: 10n ** 20n }),
);
const part = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.string({ unit: 'binary', maxLength: 24 }),
  fc.string({ maxLength: 8 }),
  digits.map(([sign, number]) => `${sign}${number}`),
  fc.uuid(),
  fc.uuid().map((text) => text.toUpperCase()),
  fc.constantFrom('a:b', 'a%b', 'a,b', 'a b ', '2026-01-02', 'true', 'T', '1.50', 'a|b', '\ud800'),
);
const template = fc.constantFrom('r:{k}:{n}', '{n}/{k}', 'r:{k}|{n}:x', '{k}é{n}', 'a{n}:{k}');

/** The cache key that the coordinator makes of the same JSON; null where it refuses the key. */
function coordinators(columns: Column[], cacheKey: string, parts: unknown[]): string | null {
  const keyColumns = columns.map((each, index) => ({ ...each, name: index === 0 ? 'k' : 'n' }));
  const padded = new Set(
    keyColumns.filter((each) => each.looseEquality === 'padding').map(({ name }) => name),
  );
  const named = resource({ keyColumns, cacheKey: new CacheKeyTemplate(cacheKey, { padded }) });
  try {
    return keyFromJson(named, JSON.parse(JSON.stringify(parts)) as never).cacheKey;
  } catch (error) {
    if (error instanceof LockstepError) return null;
    throw error;
  }
}

describe('the cache key of a key', () => {
  it('RP2: is the one that the coordinator makes, or is left to the coordinator', () => {
    const columns = fc.constantFrom(...COLUMNS);
    let certain = 0;
    const property = fc.property(
      fc.tuple(columns, columns),
      template,
      fc.tuple(part, part),
      (types, cacheKey, parts) => {
        const key = types.map((type, index) => ({
          name: index === 0 ? 'k' : 'n',
          type: type.type,
          text: keyTextRule(type),
        }));
        const made = new CacheKeys({ key, cacheKey }).of(parts);
        if (made === null) return;
        certain += 1;
        const theirs = coordinators([...types], cacheKey, parts);
        // If the coordinator refuses a key, that key has no entry.
        if (theirs !== null) expect(made.cacheKey).toBe(theirs);
      },
    );
    fc.assert(property, { numRuns: 20_000 });
    expect(certain).toBeGreaterThan(500);
  });

  it('RP2: differs for different keys, also for those that the coordinator refuses', () => {
    const key = ['k', 'n'].map((name) => ({ name, type: 'text', text: 'text' as const }));
    const keys = new CacheKeys({ key, cacheKey: 'r:{k}:{n}' });
    const text = fc.string({ unit: fc.constantFrom('a', ':', '%', '3', 'A', 'é'), maxLength: 4 });
    const pair = fc.tuple(text, text);
    fc.assert(
      fc.property(pair, pair, (one, other) => {
        const isSame = one[0] === other[0] && one[1] === other[1];
        expect(keys.of(one)?.cacheKey === keys.of(other)?.cacheKey).toBe(isSame);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is left to the coordinator where a part is missing or too many', () => {
    const key = [{ name: 'id', type: 'bigint', text: 'whole' as const }];
    const keys = new CacheKeys({ key, cacheKey: 'account:{id}' });
    expect(keys.of(7)?.cacheKey).toBe('account:7');
    expect(keys.of([7, 8])).toBeNull();
    expect(keys.of([])).toBeNull();
  });

  it('is without the blanks at the end of a part that is compared without them', () => {
    const key = [{ name: 'owner', type: 'text', text: 'trimmed' as const }];
    const keys = new CacheKeys({ key, cacheKey: 'owner:{owner}:total' });
    for (const owner of ['Ada', 'Ada ']) expect(keys.of(owner)?.cacheKey).toBe('owner:Ada:total');
    expect(keys.of(' Ada')?.cacheKey).toBe('owner: Ada:total');
  });

  it('is left to the coordinator where its rule is of a later release', () => {
    const key = [{ name: 'id', type: 'bigint', text: 'roman' as 'whole' }];
    expect(new CacheKeys({ key, cacheKey: 'account:{id}' }).of(7)).toBeNull();
  });
});
