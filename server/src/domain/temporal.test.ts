import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalTime, dateText, instantText } from './temporal.ts';

const pg = {};
const mysql = { zeroDates: true } as const;

describe('dates and times', () => {
  it.each([
    ['2024-02-29', '2024-02-29'],
    ['2023-02-29', null],
    ['0001-01-01', '0001-01-01'],
    ['0000-01-01', '0000-01-01'],
    ['0044-03-15 BC', '0044-03-15 BC'],
    ['0001-02-29 BC', '0001-02-29 BC'],
    ['0000-01-01 BC', null],
    ['12345-06-07', '12345-06-07'],
    ['02345-06-07', null],
    ['infinity', 'infinity'],
    ['0000-00-00', null],
    ['2026-1-2', null],
  ])('%s as a date of PostgreSQL is %s', (text, expected) => {
    expect(dateText(text, pg)).toBe(expected);
  });

  it.each([
    ['0000-00-00', '0000-00-00'],
    ['2026-00-05', '2026-00-05'],
    ['2026-02-00', '2026-02-00'],
    ['2026-13-00', null],
    ['2026-02-30', null],
    ['infinity', null],
  ])('%s as a date of MySQL is %s', (text, expected) => {
    expect(dateText(text, mysql)).toBe(expected);
  });

  it.each([
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
    ['2026-01-02 03:04:05.678901+02:30', '2026-01-02T00:34:05.678901Z'],
    ['12345-06-07T08:09:10.5Z', '12345-06-07T08:09:10.500Z'],
    ['12345-06-07T08:09:10+02:00', '12345-06-07T06:09:10.000Z'],
    ['294276-12-31T23:59:59.999999Z', '294276-12-31T23:59:59.999999Z'],
    ['infinity', 'infinity'],
    ['0044-03-15 12:00:00+00 BC', '0044-03-15 12:00:00+00 BC'],
    ['0044-02-30 12:00:00 BC', null],
    ['0044-03-15 24:00:00 BC', null],
    ['2026-01-02T03:04:05', null],
    ['0000-00-00 00:00:00', null],
  ])('%s as an instant of PostgreSQL is %s', (text, expected) => {
    expect(instantText(text, pg)).toBe(expected);
  });

  it('take the zero dates of MySQL, and its alone', () => {
    expect(instantText('0000-00-00 00:00:00', mysql)).toBe('0000-00-00 00:00:00');
    expect(instantText('2026-00-05 01:02:03.5', mysql)).toBe('2026-00-05 01:02:03.5');
    expect(instantText('2026-00-05 25:02:03', mysql)).toBeNull();
    expect(instantText('2026-01-05 01:02:03', mysql)).toBeNull();
    expect(instantText('infinity', mysql)).toBeNull();
  });

  it('J4: have one text for each time of a key', () => {
    const parts = fc.tuple(fc.nat(838), fc.nat(59), fc.nat(59), fc.nat(999_999), fc.boolean());
    fc.assert(
      fc.property(parts, ([hours, minutes, seconds, micros, isNegative]) => {
        const two = (number: number): string => String(number).padStart(2, '0');
        const sign = isNegative ? '-' : '';
        const fraction = String(micros).padStart(6, '0');
        const full = `${sign}${String(hours).padStart(3, '0')}:${two(minutes)}:${two(seconds)}.${fraction}`;
        const short = `${sign}${hours}:${two(minutes)}:${two(seconds)}.${fraction.replace(/0{1,5}$/, '')}`;
        const canonical = canonicalTime(full);
        expect(canonical).not.toBeNull();
        expect(canonicalTime(short)).toBe(canonical);
        expect(canonicalTime(canonical ?? '')).toBe(canonical);
      }),
    );
    expect(canonicalTime('-00:00:00')).toBe('00:00:00');
    expect(canonicalTime('03:04:05+01')).toBeNull();
  });
});
