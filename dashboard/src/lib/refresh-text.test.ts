import type { RefreshStatus } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import { refreshRemarks, refreshWord } from './refresh-text.ts';

const NOW_MS = 1_000_000;
const status = (change: Partial<RefreshStatus>): RefreshStatus => ({
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
  ])('says %s what it is at', (_when, change, text) => {
    const { word, detail } = refreshWord(status(change), NOW_MS);
    expect(`${word} ${detail}`.trim()).toBe(text);
  });

  it('has no remark while runs are under way and end well', () => {
    const phases = ['waiting', 'reading', 'swapping', 'done'] as const;
    const all = phases.map((phase) => status({ phase }));
    expect(refreshRemarks(all, NOW_MS)).toEqual([]);
  });

  it('remarks what readers see after a run that failed', () => {
    const failed = status({ phase: 'failed', error: 'Too many rows' });
    expect(refreshRemarks([failed], NOW_MS + 29_000)).toMatchObject([
      {
        what: 'The last refresh of currency failed',
        safe: expect.stringMatching(/^Too many rows\. Readers see the rows of 30 s ago/) as string,
      },
    ]);
    const [remark] = refreshRemarks([{ ...failed, lastGood: null }], NOW_MS);
    expect(remark?.safe).toContain('Reads of currency go to the database.');
  });

  it('remarks a run that has not ended for a minute', () => {
    const [remark] = refreshRemarks([status({ phase: 'swapping' })], NOW_MS + 60_000);
    expect(remark?.what).toBe('The refresh of currency has not ended');
  });
});
