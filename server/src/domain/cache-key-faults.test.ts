import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CacheKeyTemplate } from './cache-key.ts';
import { cacheKeyFaults, commonKey } from './cache-key-faults.ts';
import type { Column, ColumnType } from './column.ts';
import { ambiguousText, automatonOf, commonText, type Language, patternOf } from './language.ts';
import { languagesOf } from './part-language.ts';
import { column } from '@lockstep/testkit/doubles/resource';

const columnOf = (name: string): Column => {
  const types: Record<string, ColumnType> = {
    id: 'integer',
    n: 'bigint',
    u: 'uuid',
    on: 'boolean',
  };
  return column(name, types[name] ?? 'text', name === 'n' ? { range: { min: 0n, max: 9n } } : {});
};

function template(text: string): CacheKeyTemplate {
  const { columns } = new CacheKeyTemplate(text);
  return new CacheKeyTemplate(text, { languageOf: languagesOf(columns.map(columnOf)) });
}

const faultsOf = (...texts: string[]): string[] =>
  cacheKeyFaults(texts.map((text, index) => ({ name: `r${index}`, cacheKey: template(text) }))).map(
    ({ path, message }) => `${path} ${message}`,
  );

describe('K1: templates of two resources', () => {
  it.each([
    ['page:{slug}', 'page:{slug}:stats'],
    ['{slug}', 'vault:{id}'],
    ['owner:{name}', 'owner:{owner}:accounts'],
    ['note:{name}', 'note:{owner}:alerts'],
    ['a:{slug}:{id}', 'a:{slug}'],
    ['a{id}', 'a{id}b'],
    ['{u}', '{id}'],
    ['x:{id}', 'x:{on}'],
    ['x:{n}', 'x:-{n}'],
    ['{slug}/{name}', '{slug}/v1/{name}'],
  ])('%s and %s stand side by side: no value makes a separator', (one, other) => {
    expect(faultsOf(one, other)).toEqual([]);
  });

  it.each([
    ['a:{slug}', 'a:{name}'],
    ['a:{slug}', 'a:{id}'],
    ['{slug}', 'a{id}'],
    ['page-{slug}', 'page-{slug}-stats'],
    ['a{slug}', '{name}b'],
    ['x:{slug}', 'x:{on}'],
    ['x:{slug}', 'x:{u}'],
    ['x:{id}', 'x:-{n}'],
  ])('%s and %s are refused, both named, with a key that both can make', (one, other) => {
    const [fault = '', ...more] = faultsOf(one, other);
    expect(more).toEqual([]);
    expect(fault).toContain(
      `resources.r1.cacheKey gives the same cache keys as resource r0: ${other} and ${one} can both`,
    );
    const example = JSON.parse(/both make ("[^"]*");/.exec(fault)?.[1] ?? '') as string;
    for (const text of [one, other]) expect(template(text).match(example)).not.toBeNull();
  });

  // With a comparison that grows with the number of texts it would hang.
  it('are compared with those of five hundred others', () => {
    const texts = Array.from({ length: 500 }, (_, index) => `r{slug}:${index}:{u}`);
    expect(faultsOf(...texts)).toEqual([]);
  });
});

describe('K1: one template', () => {
  it.each(['{slug}x{name}', '{id}1{n}', '{slug}a{id}b{name}'])(
    '%s is refused: one key would name two rows',
    (text) => {
      const [fault = ''] = faultsOf(text);
      expect(fault).toContain(`${text} can name two rows by one cache key`);
    },
  );

  it.each(['{id}x{n}', '{u}x{slug}', '{slug}x{id}', '{on}t{on}', '{id}-{n}', '{slug}_{name}'])(
    '%s names each row by a key of its own, and is read back',
    (text) => {
      expect(faultsOf(text)).toEqual([]);
      const { columns } = template(text);
      const values: Record<string, string> = {
        ...{ id: '-12', n: '3', u: '0e7d1c1a-2b3c-4d5e-8f90-a1b2c3d4e5f6', on: 'true' },
        ...{ slug: 'axx1x-_:%y', name: '_x_' },
      };
      const row = Object.fromEntries(columns.map((name) => [name, values[name] ?? '']));
      expect(template(text).match(template(text).render(row) ?? '')).toEqual(row);
    },
  );

  it.each(['lockstep:{id}', '{slug}:{name}', 'lock{slug}:{id}'])(
    '%s cannot name keys of Lockstep',
    (text) => {
      expect(faultsOf(text)).toEqual([expect.stringContaining('Lockstep keeps for itself')]);
    },
  );

  it.each(['{slug}', 'lockstep-{id}', 'locksmith:{slug}'])('%s is none of Lockstep', (text) => {
    expect(faultsOf(text)).toEqual([]);
  });
});

describe('K1: a template of invalidates', () => {
  const faults = (invalidates: string): string[] =>
    cacheKeyFaults([
      { name: 'account', cacheKey: template('account:{id}'), invalidates: [template(invalidates)] },
      { name: 'page', cacheKey: template('page-{slug}') },
    ]).map(({ path }) => path);

  it('may name a whole other resource, or what no resource has', () => {
    expect(faults('page-{owner}')).toEqual([]);
    expect(faults('owner:{owner}:accounts')).toEqual([]);
  });

  it('may not name some of another one’s keys by chance, or keys of Lockstep', () => {
    expect(faults('page-{owner}-accounts')).toEqual(['resources.account.invalidates.0']);
    expect(faults('lockstep:{owner}')).toEqual(['resources.account.invalidates.0']);
  });
});

/** Small languages over `a` and `b`, so that all their texts can be listed. */
const small = fc.letrec<{ language: Language }>((tie) => ({
  language: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Language>({ text: 'a' }, { text: 'b' }, { text: '' }, { one: [[97, 98]] }),
    fc.record({ either: fc.array(tie('language'), { minLength: 1, maxLength: 2 }) }),
    fc.record({ sequence: fc.array(tie('language'), { maxLength: 2 }) }),
    fc.record({ many: tie('language') }),
  ),
})).language;

const TEXTS = Array.from({ length: 6 }, (_, length) =>
  Array.from({ length: 2 ** length }, (__, bits) =>
    [...bits.toString(2).padStart(length, '0')]
      .slice(0, length)
      .map((bit) => 'ab'[Number(bit)])
      .join(''),
  ),
).flat();

const reads = (language: Language): ((text: string) => boolean) => {
  const pattern = new RegExp(`^${patternOf(language)}$`, 'u');
  return (text) => pattern.test(text);
};

describe('the comparison of languages', () => {
  it('finds a common text where a list of all short texts has one, and one that both have', () => {
    fc.assert(
      fc.property(small, small, (one, other) => {
        const common = commonText(automatonOf([one]), automatonOf([other]));
        const listed = TEXTS.some((text) => reads(one)(text) && reads(other)(text));
        if (common === null) expect(listed).toBe(false);
        else expect(reads(one)(common) && reads(other)(common)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('finds two ways to cut a text where a list of all short texts has one', () => {
    const cuts = (text: string, one: Language, other: Language): number =>
      Array.from({ length: text.length + 1 }, (_, at) => at).filter(
        (at) => reads(one)(text.slice(0, at)) && reads(other)(text.slice(at)),
      ).length;
    fc.assert(
      fc.property(small, small, (one, other) => {
        const text = ambiguousText(automatonOf([one, other]));
        const listed = TEXTS.some((each) => cuts(each, one, other) > 1);
        if (text === null) expect(listed).toBe(false);
        else expect(cuts(text, one, other)).toBeGreaterThan(1);
      }),
      { numRuns: 500 },
    );
  });
});

describe('cache keys of two templates', () => {
  it('are never the same where the comparison finds none in common', () => {
    const text = fc.stringMatching(/^[ab:%-]{0,4}$/);
    const literal = fc.constantFrom('a', ':', '-', 'a:', '');
    const any = fc
      .tuple(
        literal,
        literal.filter((each) => each !== ''),
        literal,
      )
      .map(([first, middle, last]) => new CacheKeyTemplate(`${first}{x}${middle}{y}${last}`));
    const row = fc.record({ x: text, y: text });
    fc.assert(
      fc.property(any, any, row, row, (one, other, left, right) => {
        const isSame = one.render(left) === other.render(right);
        if (isSame && one.text !== other.text) expect(commonKey(one, other)).not.toBeNull();
        if (isSame && one.text === other.text && ambiguousText(one.automaton) === null)
          expect(left).toEqual(right);
      }),
      { numRuns: 2000 },
    );
  });
});
