import type { ChangeLogStatus } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import { changeLogRemarks, changeLogWord } from './change-log-text.ts';

const status = (rest: Partial<ChangeLogStatus>): ChangeLogStatus => ({
  state: 'streaming',
  lagMs: 4,
  detail: null,
  bypassed: [],
  bypassedTotal: 0,
  ...rest,
});

describe('the change log in words', () => {
  it('says nothing while it is followed, here or elsewhere', () => {
    for (const state of ['streaming', 'waiting'] as const) {
      expect(changeLogRemarks(status({ state }))).toEqual([]);
      expect(changeLogWord(status({ state })).tone).toBe('ok');
    }
  });

  it('C8: names a log that is away, behind or was lost, and what that means', () => {
    const detail = 'not followed: wal_level is replica';
    expect(changeLogRemarks(status({ state: 'away', lagMs: null, detail }))).toMatchObject([
      { level: 'act', safe: expect.stringContaining(detail) as string },
    ]);
    expect(changeLogRemarks(status({ state: 'behind', lagMs: 12_000 }))).toMatchObject([
      { level: 'watch', what: expect.stringContaining('12') as string },
    ]);
    expect(changeLogRemarks(status({ state: 'sweeping', detail: 'slot gone' }))).toMatchObject([
      { level: 'watch', safe: expect.stringContaining('slot gone') as string },
    ]);
  });
});
