import { describe, expect, it } from 'vitest';
import { ageAfter, leftAfter, phaseOf, shareLeft } from './countdown.ts';

describe('countdown', () => {
  it('counts down by the time since the message came, and stops at zero', () => {
    expect(leftAfter(8000, 1500)).toBe(6500);
    expect(leftAfter(8000, 9000)).toBe(0);
  });
  it('never gains time from a clock that went back', () => {
    expect(leftAfter(8000, -50)).toBe(8000);
    expect(ageAfter(100, -50)).toBe(100);
  });
  it('calls the last quarter short, because an extension was due before', () => {
    expect(phaseOf(2000, 8000)).toBe('ample');
    expect(phaseOf(1999, 8000)).toBe('short');
    expect(phaseOf(0, 8000)).toBe('over');
  });
  it('keeps the bar within its frame', () => {
    expect(shareLeft(4000, 8000)).toBe(0.5);
    expect(shareLeft(9000, 8000)).toBe(1);
    expect(shareLeft(1, 0)).toBe(0);
  });
});
