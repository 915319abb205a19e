import type { Finding, KeyInspection, LocksEvent } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import { consequenceOf, describeFinding } from './findings-text.ts';
import { compareKey } from './key-comparison.ts';
import { describeLocks } from './locks-text.ts';

const locks = (held: LocksEvent['held'], waitingTotal = 0): LocksEvent => ({
  atMs: 0,
  held,
  heldTotal: held.length,
  waiting: [],
  waitingTotal,
});
const hold: LocksEvent['held'][number] = {
  resource: 'account',
  key: '42',
  instance: 'one',
  fence: 1,
  purpose: 'write',
  heldMs: 4200,
  leftMs: 3000,
  ttlMs: 8000,
  waiting: 1,
};

describe('the locks in words', () => {
  it('says that nothing is held', () => {
    expect(describeLocks(locks([]))).toBe('No key is held, and nobody waits.');
  });
  it('names the longest hold and who waits behind it', () => {
    expect(describeLocks(locks([hold], 1))).toBe(
      '1 key is held, 1 caller waits. The longest hold is account/42: 4.20 s, by one for a write, with 1 caller behind it.',
    );
  });
  it('does not name a hold of milliseconds', () => {
    expect(describeLocks(locks([{ ...hold, heldMs: 4 }]))).toContain('All holds are short');
  });
});

const key: KeyInspection = {
  resource: 'account',
  key: '42',
  cacheKey: 'account:42',
  policy: 'strict',
  database: { version: 2, fence: 9, row: { id: 42 } },
  cache: { state: 'value', version: 2, fence: 9, ageMs: 1, ttlMs: 1, value: { id: 42 }, bytes: 9 },
  lock: null,
  home: null,
  agrees: true,
  events: [],
};
const value = { version: 2, fence: 9, ageMs: 1, ttlMs: null, value: null, bytes: 9 };

describe('one key in words', () => {
  it.each<[string, Partial<KeyInspection>, string]>([
    ['agreement', {}, 'ok'],
    ['disagreement', { agrees: false }, 'act'],
    ['nothing cached', { cache: { state: 'absent' } }, 'ok'],
    [
      'an intent of a live writer',
      { cache: { state: 'intent', ...value }, lock: { ...hold } },
      'ok',
    ],
    ['an abandoned intent', { cache: { state: 'intent', ...value } }, 'watch'],
    ['an unreadable entry', { cache: { state: 'corrupt', ...value } }, 'act'],
    ['no answer from the cache', { cache: null }, 'unknown'],
    ['no answer from the database', { database: null }, 'unknown'],
  ])('judges %s', (_, change, level) =>
    expect(compareKey({ ...key, ...change }).level).toBe(level),
  );
});

describe('a finding in words', () => {
  const finding: Finding = {
    id: '1',
    runId: '1',
    resource: 'account',
    key: '42',
    cacheKey: 'account:42',
    class: 'stale',
    foundAtMs: 0,
    sampledFrom: 'cache',
    database: { version: 2, row: { id: 42 } },
    cache: { version: 1, row: { id: 42 }, ageMs: 2000, ttlMs: 60_000, text: null },
    status: 'open',
    repair: null,
  };
  it('says what is wrong and how long it would have lasted', () => {
    expect(describeFinding(finding)).toBe(
      'The cache answers an older row than the database has. The entry was 2.00 s old. Without a repair it would have stayed for 1 min 00 s.',
    );
  });
  it('says what a repair does and does not touch', () => {
    expect(consequenceOf(finding, 'refresh')).toContain('The database is not touched');
    expect(consequenceOf(finding, 'delete')).toContain('account/42 is removed');
  });
});
