import { describe, expect, it } from 'vitest';
import {
  agoText,
  amountText,
  bytesText,
  countdownText,
  countOf,
  durationText,
  percentText,
  spanText,
  tinySpanText,
} from './format.ts';

describe('durationText', () => {
  it.each([
    [0, '0 ms'],
    [0.84, '0.8 ms'],
    [41.6, '42 ms'],
    [999.4, '999 ms'],
    [1240, '1.24 s'],
    [12_340, '12.3 s'],
    [59_960, '1 min 00 s'],
    [245_000, '4 min 05 s'],
    [7_800_000, '2 h 10 min'],
    [273_600_000, '3 d 4 h'],
  ])('reads %d ms as %s', (ms, text) => expect(durationText(ms)).toBe(text));

  it('says that there is no number', () => expect(durationText(null)).toBe('–'));
});

describe('countdownText', () => {
  it.each([
    [-5, '0.0 s'],
    [7_490, '7.4 s'],
    [59_999, '59.9 s'],
    [245_000, '4:05'],
    [3_845_000, '1:04:05'],
  ])('reads %d ms as %s', (ms, text) => expect(countdownText(ms)).toBe(text));
});

describe('percentText', () => {
  it('never rounds a share up to all', () => {
    expect(percentText(0.999999)).toBe('99.999%');
    expect(percentText(1)).toBe('100%');
  });
  it('keeps short shares short', () => {
    expect(percentText(0.5)).toBe('50%');
    expect(percentText(0.9349)).toBe('93.4%');
    expect(percentText(0)).toBe('0%');
    expect(percentText(null)).toBe('–');
  });
});

it('shortens amounts and keeps counts exact', () => {
  expect(amountText(0.44)).toBe('0.4');
  expect(amountText(312.4)).toBe('312');
  expect(amountText(12_420)).toBe('12.4k');
  expect(amountText(2_500_000)).toBe('2.5M');
  expect(countOf(1, 'key')).toBe('1 key');
  expect(countOf(12_345, 'entry', 'entries')).toBe('12,345 entries');
});

it('reads settings, ages and sizes', () => {
  expect(spanText(600_000)).toBe('10 min');
  expect(spanText(5_400_000)).toBe('1.5 h');
  expect([33_000, 66_000, 600].map(tinySpanText)).toEqual(['33s', '1.1m', '600ms']);
  expect(agoText(500)).toBe('now');
  expect(agoText(130_000)).toBe('2 min ago');
  expect(bytesText(812)).toBe('812 B');
  expect(bytesText(1400)).toBe('1.4 kB');
});
