import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { candidate, type Candidate, hash64, highest } from './rendezvous.ts';

const KEYS = 20_000;
const keys = Array.from({ length: KEYS }, (_, id) => hash64(`account\0${id}`));
const cluster = (urls: readonly string[]): Candidate<string>[] =>
  urls.map((url) => candidate(url, url));
const urlsOf = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `http://coordinator-${index + 1}:7400`);
const homesIn = (urls: readonly string[]): (string | null)[] => {
  const candidates = cluster(urls);
  return keys.map((key) => highest(candidates, key));
};
const someUrls = fc.uniqueArray(fc.webUrl({ validSchemes: ['http'] }), {
  minLength: 1,
  maxLength: 8,
});

describe('rendezvous hashing', () => {
  it('has no home among nobody', () => {
    expect(highest([], hash64('key'))).toBeNull();
  });

  it('finds the same home whatever the order in which members are named (H1)', () => {
    fc.assert(
      fc.property(someUrls, fc.string(), fc.infiniteStream(fc.nat()), (urls, text, shuffle) => {
        const mixed = urls
          .map((url) => ({ url, rank: Number(shuffle.next().value) }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ url }) => url);
        const key = hash64(text);
        expect(highest(cluster(mixed), key)).toBe(highest(cluster(urls), key));
      }),
    );
  });

  it('moves no key between two members that stay, whoever comes or goes (H2)', () => {
    fc.assert(
      fc.property(someUrls, fc.webUrl(), fc.string(), (urls, other, text) => {
        const before = urls.filter((url) => url !== other);
        const key = hash64(text);
        const was = highest(cluster(before), key);
        const is = highest(cluster([...before, other]), key);
        expect([was, other]).toContain(is);
      }),
    );
  });

  it.each([2, 3, 5, 10])(
    'gives each of %i members its share, to a few parts in a hundred (H2)',
    (count) => {
      const shares = new Map<string | null, number>();
      for (const home of homesIn(urlsOf(count))) shares.set(home, (shares.get(home) ?? 0) + 1);
      const fair = KEYS / count;
      // Six standard deviations of a fair draw. Names and keys are fixed, so the test is deterministic.
      const slack = 6 * Math.sqrt(fair * (1 - 1 / count));
      expect(shares.size).toBe(count);
      for (const share of shares.values()) expect(Math.abs(share - fair)).toBeLessThan(slack);
    },
  );

  it('hands a new member its share from all the others alike (H2)', () => {
    const [before, after] = [homesIn(urlsOf(4)), homesIn(urlsOf(5))];
    const lost = new Map<string | null, number>();
    for (const [index, was] of before.entries()) {
      if (after[index] !== was) lost.set(was, (lost.get(was) ?? 0) + 1);
    }
    const moved = [...lost.values()].reduce((sum, count) => sum + count, 0);
    expect(moved / KEYS).toBeGreaterThan(0.18);
    expect(moved / KEYS).toBeLessThan(0.22);
    for (const count of lost.values()) expect(count / moved).toBeGreaterThan(0.2);
  });

  it('spreads members whose addresses differ by one digit over runs of keys', () => {
    const homes = homesIn(['http://10.0.0.1:7400', 'http://10.0.0.2:7400']).slice(0, 1_000);
    const changes = homes.filter((home, index) => index > 0 && home !== homes[index - 1]).length;
    expect(changes).toBeGreaterThan(400);
    expect(changes).toBeLessThan(600);
  });
});
