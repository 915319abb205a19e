import { describe, expect, it } from 'vitest';
import { invariantsOf, testsByNumber, titlesOf } from './check-spec.mjs';

const SPEC = `
| A1  | The database commits atomically. |
| --- | --- |
| E1  | Only the holder fills.  | \`a.test.ts\` |
| W12 | Waiting is bounded.     | same |
`;

describe('the specification', () => {
  it('lists its invariants in tables, apart from its assumptions', () => {
    expect([...invariantsOf(SPEC)]).toEqual([
      ['E1', 'Only the holder fills.'],
      ['W12', 'Waiting is bounded.'],
    ]);
  });

  it('has no number twice', () => {
    expect(() => invariantsOf(SPEC + SPEC)).toThrow(/E1 twice/);
  });
});

describe('the names of tests', () => {
  const titles = (source: string): string[] => titlesOf(source);

  it('are taken from groups and tests, in any quotes, with options or parameters', () => {
    const source = `
      describe('E1', () => { it("fills", { timeout: 1 }, () => {}); });
      test(\`W12 of \${name} here\`, () => {});
      const title = 'E9'; other('E8', () => {});
    `;
    expect(titles(source)).toEqual(['E1', 'fills', 'W12 of … here']);
  });

  it('have the values of their table filled in', () => {
    const source = `
      test.each([['stale', ['R6'], 'x']])('%s breaks %s', () => {});
      it.each(['E7'])('no place for it', () => {});
    `;
    expect(titles(source)).toEqual(
      ['stale R6 x', 'no place for it'].map((one, index) =>
        index === 0 ? `%s breaks %s ${one}` : one,
      ),
    );
  });

  it('may be titles in a table', () => {
    expect(titles(`const SCENARIOS = { a: { title: 'W8: a', kinds: ['E1'] } };`)).toEqual([
      'W8: a',
    ]);
  });

  it('do not count if the test is skipped', () => {
    expect(titles(`it.skip('E1', () => {}); describe.todo('E2');`)).toEqual([]);
  });

  it('are found by number', () => {
    const named = ['E1, W12: both', 'E123 and XE1 are none', 'E1 again'];
    const found = testsByNumber(
      named.map((title) => ({ file: 'a.test.ts', title })),
      ['E', 'W'],
    );
    expect([...found.keys()]).toEqual(['E1', 'W12']);
    expect(found.get('E1')?.map(({ title }) => title)).toEqual([named[0], named[2]]);
  });
});
