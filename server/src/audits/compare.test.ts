import {
  decodeEntry,
  encodeEntry,
  type Entry,
  type JsonValue,
  parseJson,
  type Row,
} from '@lockstep/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoredEntry } from '../cache/port.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { compare, sameJson } from './compare.ts';

const account = resource();
const row: Row = { id: 1, owner: 'ann', balance: '5' };
const head = { version: 3, fence: 9, writtenAtMs: 1_000 };
const stored = (entry: Entry): StoredEntry => {
  const text = encodeEntry(entry);
  return { entry: decodeEntry(text), text };
};
const value = (cached: Row | null, version = 3): StoredEntry =>
  stored({ state: 'value', ...head, version, row: cached });
const database = (current: Row | null, version = 3) => ({ version, fence: 9, row: current });

describe('comparing an entry with its row', () => {
  it('agrees where both say the same', () => {
    expect(compare(account, value(row), 5_000, database(row))).toBe('agrees');
    expect(compare(account, value(null), 5_000, database(null))).toBe('agrees');
  });

  it('calls a value stale whose row differs at the same version: somebody wrote past Lockstep', () => {
    const comparison = compare(account, value(row), 5_000, database({ ...row, balance: '6' }));
    expect(comparison).toBe('stale');
  });

  it('calls a value stale that is newer than the database knows', () => {
    expect(compare(account, value(row, 4), 5_000, database(row, 3))).toBe('stale');
  });

  it('does not mind an older version of an equal row, nor columns that are not configured', () => {
    expect(compare(account, value(row, 2), 5_000, database(row, 3))).toBe('agrees');
    const wider = { ...row, note: 'x' };
    expect(compare(account, value(wider), 5_000, database(row))).toBe('agrees');
    const narrower = { id: 1, owner: 'ann' };
    expect(compare(account, value(narrower), 5_000, database(row))).toBe('stale');
  });

  it('tells orphans from negative entries that have a row', () => {
    expect(compare(account, value(row), 5_000, database(null))).toBe('orphan');
    expect(compare(account, value(null), 5_000, database(row))).toBe('negative-stale');
  });

  it('finds values without expiry, but only where nothing worse is wrong', () => {
    expect(compare(account, value(row), null, database(row))).toBe('no-ttl');
    expect(compare(account, value(row), null, database(null))).toBe('orphan');
  });

  it('finds text that is no entry', () => {
    const text = '{"balance":5}';
    const corrupt = { entry: decodeEntry(text), text };
    expect(compare(account, corrupt, 5_000, database(row))).toBe('corrupt');
  });

  it('takes leases, tombstones and nothing at all for no drift, and an intent for a write', () => {
    expect(compare(account, null, undefined, null)).toBe('agrees');
    const lease = stored({ state: 'lease', ...head, leaseId: 'l' });
    expect(compare(account, lease, 100, null)).toBe('agrees');
    expect(compare(account, stored({ state: 'tombstone', ...head }), 100, null)).toBe('agrees');
    const intent = stored({ state: 'intent', ...head, intentId: 'a', marked: false });
    expect(compare(account, intent, null, null)).toBe('being-written');
  });
});

describe('equality of JSON', () => {
  it('holds for a value and its copy in any order of names', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (any) => {
        const json = JSON.parse(JSON.stringify(any)) as never;
        expect(sameJson(json, turned(json))).toBe(true);
      }),
    );
  });

  it('fails where their texts with sorted names differ', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 2 }), fc.jsonValue({ maxDepth: 2 }), (a, b) => {
        const one = JSON.parse(JSON.stringify(a)) as never;
        const other = JSON.parse(JSON.stringify(b)) as never;
        expect(sameJson(one, other)).toBe(sorted(one) === sorted(other));
      }),
    );
  });

  it('does not take what every object inherits for a value', () => {
    expect(sameJson({ a: 1 }, { toString: 1 })).toBe(false);
    expect(sameJson([], {})).toBe(false);
    expect(sameJson(null, undefined)).toBe(false);
  });
});

function turned(json: unknown): never {
  if (typeof json !== 'object' || json === null) return json as never;
  if (Array.isArray(json)) return json.map(turned) as never;
  const pairs = Object.entries(json).reverse();
  return Object.fromEntries(pairs.map(([name, item]) => [name, turned(item)])) as never;
}

function sorted(json: unknown): string {
  if (Array.isArray(json)) return `[${json.map(sorted).join()}]`;
  if (typeof json !== 'object' || json === null) return JSON.stringify(json);
  const pairs = Object.entries(json).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${pairs.map(([name, item]) => `${JSON.stringify(name)}:${sorted(item)}`).join()}}`;
}

describe('documents', () => {
  it('are compared however deep they are nested', () => {
    const deep = (inner: string): JsonValue =>
      parseJson(`${'[{"a":'.repeat(50_000)}${inner}${'}]'.repeat(50_000)}`);
    expect(sameJson(deep('1.10'), deep('1.10'))).toBe(true);
    expect(sameJson(deep('1.10'), deep('1.1'))).toBe(false);
  });
});
