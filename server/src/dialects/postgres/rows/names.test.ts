import { describe, expect, it } from 'vitest';
import { nameSql } from './names.ts';

describe('the name of a prepared statement', () => {
  it('is the same for the same text, whatever was named before it', () => {
    const first = nameSql('select :a::int').name;
    nameSql('select 2');
    expect(nameSql('select :a::int').name).toBe(first);
  });

  it('tells texts apart that differ in one letter or only in their case', () => {
    const texts = ['update a set n = 1', 'update b set n = 1', 'update "A" set n = 1'];
    expect(new Set(texts.map((text) => nameSql(text).name)).size).toBe(texts.length);
  });

  it('is no longer than PostgreSQL keeps of a name', () => {
    expect(Buffer.byteLength(nameSql('select 3').name ?? '')).toBeLessThanOrEqual(63);
  });
});
