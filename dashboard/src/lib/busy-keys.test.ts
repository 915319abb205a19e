import type { HeldLockView, LocksEvent } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import { follow, HISTORY_LENGTH, LINGER_MS, type BusyKey } from './busy-keys.ts';

const hold = (key: string, change: Partial<HeldLockView> = {}): HeldLockView => ({
  resource: 'account',
  key,
  instance: 'one',
  fence: 1,
  purpose: 'write',
  heldMs: 5,
  leftMs: 7995,
  ttlMs: 8000,
  waiting: 0,
  ...change,
});
const event = (
  atMs: number,
  held: HeldLockView[],
  waiting: LocksEvent['waiting'] = [],
): LocksEvent => ({
  atMs,
  held,
  heldTotal: held.length,
  waiting,
  waitingTotal: waiting.length,
});
const queue = (key: string, waiting: number): LocksEvent['waiting'][number] => ({
  resource: 'account',
  key,
  instance: 'one',
  waiting,
  longestWaitMs: 40,
});
const keys = (rows: BusyKey[]): string[] => rows.map((row) => row.key);

describe('busy keys', () => {
  it('keeps one row for a key while its holders change', () => {
    const first = follow([], event(0, [hold('1')]));
    const second = follow(first, event(1000, [hold('1', { fence: 2 })]));
    expect(second).toHaveLength(1);
    expect(second[0]).toMatchObject({ state: 'held', hold: { fence: 2 }, history: [0, 0] });
  });
  it('shows a released key for a moment, then removes it', () => {
    const held = follow([], event(0, [hold('1')]));
    const released = follow(held, event(1000, []));
    expect(released[0]).toMatchObject({ state: 'released', history: [0, null] });
    expect(follow(released, event(LINGER_MS, []))).toEqual([]);
  });
  it('says that a key changes hands where callers wait and nobody holds it', () => {
    const rows = follow([], event(0, [], [queue('1', 3)]));
    expect(rows[0]).toMatchObject({ state: 'changing', waiting: 3, longestWaitMs: 40 });
  });
  it('puts the key with the most waiters first', () => {
    const rows = follow([], event(0, [hold('1'), hold('2', { waiting: 12 }), hold('3')]));
    expect(keys(rows)).toEqual(['2', '1', '3']);
  });
  it('puts a held key before a released one that had more waiters', () => {
    const first = follow([], event(0, [hold('1', { waiting: 12 })]));
    expect(keys(follow(first, event(1000, [hold('2')])))).toEqual(['2', '1']);
  });
  it('keeps the order while little changes', () => {
    const first = follow([], event(0, [hold('1'), hold('2')]));
    const second = follow(first, event(1000, [hold('2', { fence: 2 }), hold('1', { fence: 2 })]));
    expect(keys(second)).toEqual(keys(first));
  });
  it('limits the length of the history', () => {
    let rows: BusyKey[] = [];
    for (let i = 0; i < HISTORY_LENGTH + 10; i += 1)
      rows = follow(rows, event(i * 1000, [hold('1')]));
    expect(rows[0]?.history).toHaveLength(HISTORY_LENGTH);
  });
});
