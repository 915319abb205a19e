import { describe, expect, test } from 'vitest';
import { LocalEntries } from './local-entries.ts';

const value = (version: number) => ({ version, row: { text: '{}' } });
const entry = (version: number, characters = 100, endsAtMs = 1_000) => ({
  ...{ resource: 'profile', value: value(version), characters, endsAtMs },
});

describe('values in memory', () => {
  test('D16: are not found once their life is over, and are no longer counted', () => {
    const entries = new LocalEntries(100_000);
    entries.keep('a', entry(1, 100, 500));
    expect(entries.find('a', 499)).toEqual(value(1));
    expect(entries.find('a', 500)).toBeUndefined();
    expect({ bytes: entries.bytes, count: entries.count }).toEqual({ bytes: 0, count: 0 });
  });

  test('D18: never take more than their bound, and the one that was asked for longest ago goes first', () => {
    const entries = new LocalEntries(12_000);
    for (let n = 0; n < 1_000; n++) {
      entries.keep(`key-${n}`, entry(n));
      entries.find('key-0', 0);
      expect(entries.bytes).toBeLessThanOrEqual(12_000);
    }
    expect(entries.find('key-0', 0)).toEqual(value(0));
    expect(entries.find('key-1', 0)).toBeUndefined();
    expect(entries.find('key-999', 0)).toEqual(value(999));
    expect(entries.count).toBeGreaterThan(10);
  });

  test('D18: a value that would drive out many others is not kept, and what it replaces goes', () => {
    const entries = new LocalEntries(12_000);
    entries.keep('a', entry(1));
    entries.keep('b', entry(1));
    entries.keep('a', entry(2, 2_000));
    expect(entries.find('a', 0)).toBeUndefined();
    expect(entries.find('b', 0)).toEqual(value(1));
  });

  test('are forgotten by key, by resource and all together', () => {
    const entries = new LocalEntries(100_000);
    entries.keep('a', entry(1));
    entries.keep('b', { ...entry(2), resource: 'other' });
    entries.keep('c', entry(3));
    entries.forget('a');
    entries.forgetResource('other');
    expect(['a', 'b', 'c'].map((key) => entries.find(key, 0))).toEqual([
      undefined,
      undefined,
      value(3),
    ]);
    entries.forgetAll();
    expect(entries).toMatchObject({ bytes: 0, count: 0 });
  });
});
