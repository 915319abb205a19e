import { describe, expect, it } from 'vitest';
import { rawMembers, rawObject } from './raw-json.ts';

describe('raw JSON', () => {
  it('keeps every digit, blank and escape of its members', () => {
    const text = '{ "a": 1.10, "b\\"}": [1e400, {"x": "}"}], "c": "\\u00e9,", "d":null}';
    expect([...rawMembers(text)]).toEqual([
      ['a', '1.10'],
      ['b"}', '[1e400, {"x": "}"}]'],
      ['c', '"\\u00e9,"'],
      ['d', 'null'],
    ]);
  });

  it('is read again as it was written', () => {
    const members = new Map([
      ['constructor', '9007199254740993'],
      ['__proto__', '{"a":[]}'],
    ]);
    expect(rawMembers(rawObject(members))).toEqual(members);
    expect(rawMembers('{}').size).toBe(0);
  });
});
