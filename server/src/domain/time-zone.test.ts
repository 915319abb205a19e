import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimeZone, zoneOf } from './time-zone.ts';

const zone = (name: string): TimeZone => {
  const found = TimeZone.named(name);
  if (found === null) throw new Error(`there is no zone ${name}`);
  return found;
};

describe('a time without a zone', () => {
  it.each([
    ['Europe/Berlin', '2026-01-02 03:04:05', '2026-01-02T02:04:05.000Z'],
    ['Europe/Berlin', '2026-07-02 03:04:05.678901', '2026-07-02T01:04:05.678901Z'],
    ['Europe/Berlin', '1891-01-01 00:53:28', '1891-01-01T00:00:00.000Z'],
    ['Asia/Kolkata', '2026-01-02 00:00:00', '2026-01-01T18:30:00.000Z'],
    ['America/New_York', '9999-12-31 23:59:59', '10000-01-01T04:59:59.000Z'],
    ['+05:30', '2026-03-29 02:30:00.120', '2026-03-28T21:00:00.120Z'],
    ['-12:59', '12345-06-07 08:09:10', '12345-06-07T21:08:10.000Z'],
  ])('of %s, %s, is the instant %s, and back', (name, local, instant) => {
    expect(zone(name).toInstant(local)).toBe(instant);
    expect(Number(zone(name).toLocal(instant)?.split('.')[1])).toBe(Number(instant.slice(20, -1)));
    expect(zone(name).toInstant(zone(name).toLocal(instant) ?? '')).toBe(instant);
  });

  it.each([
    ['Europe/Berlin', '2026-03-29 02:30:00', 'never'],
    ['Europe/Berlin', '2026-10-25 02:30:00.5', 'twice'],
    ['Australia/Lord_Howe', '2026-04-05 01:45:00', 'twice'],
    ['Pacific/Apia', '2011-12-30 12:00:00', 'never'],
  ])('of %s, %s, which its clocks show %s, stands as it is', (name, local) => {
    expect(zone(name).toInstant(local)).toBe(local);
    expect(zone(name).toLocal(local)).toBe(local);
  });

  it.each(['2026-10-25T00:30:00.000Z', '2026-10-25T01:30:00.000Z'])(
    'J5: takes no instant that its column could not tell from another: %s',
    (instant) => {
      expect(zone('Europe/Berlin').toLocal(instant)).toBeNull();
    },
  );

  it.each(['infinity', '0044-03-15 12:00:00 BC', '0000-00-00 00:00:00', '2026-00-05 01:02:03'])(
    'stands as it is where it is none of a calendar: %s',
    (text) => {
      expect(zone('Europe/Berlin').toInstant(text)).toBe(text);
      expect(zone('Europe/Berlin').toLocal(text)).toBe(text);
    },
  );

  it('J3: is what it was when it was read and written back, in any zone and year', () => {
    const names = [
      'Europe/Berlin',
      'America/St_Johns',
      'Africa/Casablanca',
      'Pacific/Apia',
      '-03:30',
    ];
    const seconds = fc.integer({ min: -62_135_596_800, max: 253_402_300_799 });
    const recent = fc.integer({ min: 0, max: 4_000_000_000 });
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.oneof(seconds, recent),
        fc.nat(999_999),
        (name, second, micros) => {
          const whole = new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' ');
          const local = `${whole}.${String(micros).padStart(6, '0')}`;
          const back = zone(name).toLocal(zone(name).toInstant(local)) ?? '';
          const [clock = '', fraction = ''] = back.split('.');
          expect(`${clock}.${fraction.padEnd(6, '0')}`).toBe(local);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is of a zone that there is', () => {
    for (const name of ['Mars/Base', '+25:00', '', 'Europe/Berlin; drop', "'", '+14:00', 'UTC+1'])
      expect(TimeZone.named(name)).toBeNull();
    expect(zoneOf('timestamp@Europe/Berlin[]')?.name).toBe('Europe/Berlin');
    expect(zoneOf('timestamp')).toBeNull();
  });
});
