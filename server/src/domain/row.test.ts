import { describe, expect, it } from 'vitest';
import { columnOf, emptyRow } from './row.ts';

const NAMES = ['constructor', 'valueOf', 'toString', 'hasOwnProperty', '__proto__', 'toJSON'];

describe('a row', () => {
  it.each(NAMES)('has no column %s that it was not given', (name) => {
    expect(emptyRow()[name]).toBeUndefined();
    expect(columnOf({}, name)).toBeUndefined();
  });

  it.each(NAMES)('keeps a column %s like any other, in JSON too', (name) => {
    const row = emptyRow();
    row[name] = 'kept';
    expect(Object.entries(row)).toEqual([[name, 'kept']]);
    expect(JSON.stringify(row)).toBe(`{"${name}":"kept"}`);
    expect(columnOf(JSON.parse(JSON.stringify(row)) as Record<string, string>, name)).toBe('kept');
  });
});
