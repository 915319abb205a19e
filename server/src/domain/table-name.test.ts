import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tableName, tableNameParts } from './table-name.ts';

describe('the name of a table', () => {
  it('is a table, or a schema and a table', () => {
    expect(tableNameParts('accounts')).toEqual(['accounts']);
    expect(tableNameParts('app.accounts')).toEqual(['app', 'accounts']);
  });

  it('has parts in double quotes where they hold a dot or a quote', () => {
    expect(tableNameParts('"price.list"')).toEqual(['price.list']);
    expect(tableNameParts('"my app"."5"" pipes"')).toEqual(['my app', '5" pipes']);
    expect(tableNameParts('app."a.b"')).toEqual(['app', 'a.b']);
  });

  it.each(['', '.', 'a.', '.a', 'a.b.c', 'a"b', '"a', '"a"b', '""', 'a..b'])(
    'is not %j',
    (name) => {
      expect(() => tableNameParts(name)).toThrow();
    },
  );

  it('is one text for the same parts, whatever they hold', () => {
    const part = fc.string({ minLength: 1, maxLength: 64 });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 2 }), (parts) => {
        expect(tableNameParts(tableName(parts))).toEqual(parts);
      }),
    );
  });
});
