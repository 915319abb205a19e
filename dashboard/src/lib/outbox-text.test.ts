import type { ChangeLogStatus, RefreshStatus, SwitchStatus } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import {
  changeLogRemarks,
  changeLogWord,
  refreshRemarks,
  refreshWord,
  switchRemark,
} from './outbox-text.ts';
import type { Remark } from './remark.ts';

const changeLog = (rest: Partial<ChangeLogStatus>): ChangeLogStatus => ({
  state: 'streaming',
  lagMs: 4,
  detail: null,
  retainedBytes: null,
  retainedWarning: null,
  bypassed: [],
  bypassedTotal: 0,
  ...rest,
});

describe('the change log in words', () => {
  it('reports nothing while the log is followed, here or by another instance', () => {
    for (const state of ['streaming', 'waiting'] as const) {
      expect(changeLogRemarks(changeLog({ state }))).toEqual([]);
      expect(changeLogWord(changeLog({ state })).tone).toBe('ok');
    }
  });

  it('reports a database that keeps much of its log, beside the state of the log', () => {
    const retainedWarning = 'the database keeps 1536 MiB of its log for slot lockstep_5';
    expect(changeLogRemarks(changeLog({ retainedWarning }))).toMatchObject([
      { level: 'watch', safe: expect.stringContaining('1536 MiB') as string },
    ]);
    expect(changeLogRemarks(changeLog({ state: 'behind', retainedWarning }))).toHaveLength(2);
  });

  it('C8: reports a log that is away, behind or was lost, and what that means', () => {
    const detail = 'not followed: wal_level is replica';
    expect(changeLogRemarks(changeLog({ state: 'away', lagMs: null, detail }))).toMatchObject([
      { level: 'act', safe: expect.stringContaining(detail) as string },
    ]);
    expect(changeLogRemarks(changeLog({ state: 'behind', lagMs: 12_000 }))).toMatchObject([
      { level: 'watch', what: expect.stringContaining('12') as string },
    ]);
    expect(changeLogRemarks(changeLog({ state: 'sweeping', detail: 'slot gone' }))).toMatchObject([
      { level: 'watch', safe: expect.stringContaining('slot gone') as string },
    ]);
  });
});

const NOW_MS = 1_000_000;
const refresh = (change: Partial<RefreshStatus>): RefreshStatus => ({
  ...{ resource: 'currency', phase: 'done', rows: 12, removed: 0, error: null },
  ...{ startedAtMs: NOW_MS - 2_000, endedAtMs: NOW_MS - 1_000 },
  lastGood: { rows: 12, atMs: NOW_MS - 1_000, tookMs: 1_000 },
  nextAtMs: NOW_MS + 9_000,
  ...change,
});

describe('a refresh in words', () => {
  it.each<[string, Partial<RefreshStatus>, string]>([
    ['before the first run', { phase: 'waiting', startedAtMs: null }, 'not run yet'],
    ['while the table is read', { phase: 'reading' }, 'reading the table, for 2.00 s'],
    ['while the cache is rewritten', { phase: 'swapping' }, 'writing 12 rows, after 2.00 s'],
    ['when it is done', {}, 'refreshed'],
    ['when it failed', { phase: 'failed', error: 'Too many rows' }, 'failed Too many rows'],
    ['when it has no end', { phase: 'reading', startedAtMs: 0 }, 'no end began 16 min ago'],
  ])('says its state %s', (_when, change, text) => {
    const { word, detail } = refreshWord(refresh(change), NOW_MS);
    expect(`${word} ${detail}`.trim()).toBe(text);
  });

  it('has no remark while runs are in flight or have succeeded', () => {
    const phases = ['waiting', 'reading', 'swapping', 'done'] as const;
    const all = phases.map((phase) => refresh({ phase }));
    expect(refreshRemarks(all, NOW_MS)).toEqual([]);
  });

  it('says what readers see after a run that failed', () => {
    const failed = refresh({ phase: 'failed', error: 'Too many rows' });
    expect(refreshRemarks([failed], NOW_MS + 29_000)).toMatchObject([
      {
        what: 'The last refresh of currency failed',
        safe: expect.stringMatching(/^Too many rows\. Readers see the rows of 30 s ago/) as string,
      },
    ]);
    const [remark] = refreshRemarks([{ ...failed, lastGood: null }], NOW_MS);
    expect(remark?.safe).toContain('Reads of currency go to the database.');
  });

  it('reports a run that has not ended after a minute', () => {
    const [remark] = refreshRemarks([refresh({ phase: 'swapping' })], NOW_MS + 60_000);
    expect(remark?.what).toBe('The refresh of currency has not ended');
  });
});

const remark = (state: SwitchStatus['state'], changes: SwitchStatus['changes']): Remark =>
  switchRemark({ resource: 'profile', state, changes });
const POLICY = { field: 'policy', from: 'none', to: 'strict' };
const CACHE_KEY = { field: 'cacheKey', from: 'a:{id}', to: 'b:{id}' };

describe('a switch in words', () => {
  it('says what changes, from what to what', () => {
    expect(remark('settling', [POLICY])).toMatchObject({
      level: 'watch',
      what: 'profile is being switched: from none to strict',
    });
    expect(remark('settling', [POLICY, CACHE_KEY]).what).toBe(
      'profile is being switched: from none to strict, cache key a:{id} becomes b:{id}',
    );
    expect(remark('settling', [{ field: 'invalidates', from: '', to: 'x:{y}' }]).what).toBe(
      'profile is being switched: related keys nothing becomes x:{y}',
    );
  });

  it('does not print the text of a changed query', () => {
    const query = { field: 'query', from: '{"text":"select 1"}', to: '{"text":"select 2"}' };
    expect(remark('settling', [query]).what).toBe('profile is being switched: another query');
  });

  it('says that a resource is new', () => {
    expect(remark('settling', []).what).toBe('profile is new');
  });

  it('asks the operator to act if this coordinator has the old configuration', () => {
    expect(remark('not-followed', [POLICY])).toMatchObject({
      level: 'act',
      what: 'Another coordinator has switched profile: from none to strict',
    });
  });
});
