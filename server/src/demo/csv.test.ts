import { describe, expect, it } from 'vitest';
import { parseCsv } from './csv.ts';

describe('parseCsv', () => {
  it('names the fields of each record by the first line', () => {
    expect(parseCsv('a,b\n1,2\r\n3,\n')).toEqual([
      { a: '1', b: '2' },
      { a: '3', b: '' },
    ]);
  });

  it('takes commas, quotes and line breaks inside quotes', () => {
    expect(parseCsv('a,b\n"x, y","W. H. ""Bud"" Barron"\n"line\nbreak",2')).toEqual([
      { a: 'x, y', b: 'W. H. "Bud" Barron' },
      { a: 'line\nbreak', b: '2' },
    ]);
  });

  it('has no records where there are none', () => {
    expect(parseCsv('')).toEqual([]);
    expect(parseCsv('a,b\n')).toEqual([]);
  });

  it.each(['a,b\n1\n', 'a,b\n1,2,3\n', 'a\n"open\n', 'a\n"x"y\n'])('refuses %j', (text) => {
    expect(() => parseCsv(text)).toThrow(RangeError);
  });
});
