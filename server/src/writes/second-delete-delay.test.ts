import { describe, expect, it } from 'vitest';
import { makeKey } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { DerivedDelay } from './second-delete-delay.ts';

const derived = resource({ policy: 'delayed-double-delete' });
const key = makeKey(derived, ['1']);

const read = (totalMs: number, source: 'primary' | 'cache' = 'primary') =>
  ({ type: 'read', key, source, code: null, totalMs }) as const;

describe('the delay of a second delete', () => {
  it('is the configured one where there is one', () => {
    const delay = new DerivedDelay({ lagMs: () => 9_000 });
    const configured = resource({ policy: 'delayed-double-delete', secondDeleteAfterMs: 250 });
    expect(delay.afterMs(configured)).toBe(250);
  });

  it('is a second before anything was measured', () => {
    expect(new DerivedDelay({ lagMs: () => 0 }).afterMs(derived)).toBe(1_000);
  });

  it('follows the slowest hundredth of the primary’s reads and the replicas’ lag', () => {
    const delay = new DerivedDelay({ lagMs: () => 700 });
    for (let count = 0; count < 200; count += 1) delay.note(read(5));
    for (let count = 0; count < 5; count += 1) delay.note(read(2_000));
    delay.note(read(50_000, 'cache'));
    expect(delay.afterMs(derived)).toBe(2_000 + 700 + 500);
  });

  it('forgets what is long past and stays bounded', () => {
    const delay = new DerivedDelay({ lagMs: () => 0 });
    for (let count = 0; count < 10; count += 1) delay.note(read(900_000));
    expect(delay.afterMs(derived)).toBe(60_000);
    for (let count = 0; count < 600; count += 1) delay.note(read(3));
    expect(delay.afterMs(derived)).toBe(1_000);
  });
});
