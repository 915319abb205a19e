/**
 * Times without a zone (`timestamp without time zone`, `datetime`) are local times of one zone, `database.timeZone`,
 * because other programs write them so. Callers see instants in UTC, as for every other time.
 *
 * A local time that the zone's clocks show twice or never stands for no single instant. It is answered as it is,
 * without a zone, so that reading and writing it back does not change it. An instant whose local time is shown twice
 * cannot be written.
 */
import type { ColumnType, LocalTime } from './column.ts';

/** The offsets that both databases accept for a session. */
const OFFSET = /^([+-])(0\d|1[0-2]):([0-5]\d)$|^(\+)(13):(00)$/;
const LOCAL = /^(\d{4,6})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?$/;
const INSTANT = /^(.+)T(\d{2}:\d{2}:\d{2})\.(\d{3,6})Z$/;
/** No zone changes its offset twice within this time. */
const HALF_WINDOW_MS = 26 * 3_600_000;
const MINUTE_MS = 60_000;

const zones = new Map<string, TimeZone>();

export class TimeZone {
  readonly name: string;
  /** Whether the offset never changes, so that every local time is one instant. */
  readonly isFixed: boolean;
  readonly #offsetAt: (utcMs: number) => number;

  private constructor(name: string, fixedMs: number | null) {
    this.name = name;
    this.isFixed = fixedMs !== null;
    this.#offsetAt = fixedMs === null ? offsetsOf(name) : () => fixedMs;
  }

  /** The zone with a name such as `Europe/Berlin` or an offset such as `+02:00`; null if there is none. */
  static named(name: string): TimeZone | null {
    const known = zones.get(name);
    if (known !== undefined) return known;
    const fixed = fixedOffset(name);
    if (fixed === null && !isZone(name)) return null;
    const zone = new TimeZone(name, fixed);
    zones.set(name, zone);
    return zone;
  }

  /** What callers see for a local time of the database. Any other text stays as it is. */
  toInstant(text: string): string {
    const [, year, month, day, hours, minutes, seconds, fraction = ''] = LOCAL.exec(text) ?? [];
    if (year === undefined) return text;
    const localMs = utcMs(
      Number(year),
      Number(month),
      Number(day),
      `${hours}:${minutes}:${seconds}`,
    );
    if (localMs === null) return text;
    const clock = `${hours}:${minutes}:${seconds}`;
    const digits = fraction.replace(/0+$/, '');
    const local = `${year}-${month}-${day} ${clock}${digits === '' ? '' : `.${digits}`}`;
    const [instant, another] = this.#instantsOf(localMs);
    if (instant === undefined || another !== undefined) return local;
    const [date, time] = textOf(instant);
    const micros = fraction.padEnd(6, '0');
    return date === null
      ? local
      : `${date}T${time}.${micros.endsWith('000') ? micros.slice(0, 3) : micros}Z`;
  }

  /** The local time of a caller's instant; null if another instant has the same local time. */
  toLocal(text: string): string | null {
    const [, date = '', clock = '', fraction = ''] = INSTANT.exec(text) ?? [];
    if (date === '') return this.toInstant(text) === text ? text : null;
    const [year = 0, month = 0, day = 0] = date.split('-').map(Number);
    const instant = utcMs(year, month, day, clock);
    if (instant === null) return null;
    const [localDate, localClock] = textOf(instant + this.#offsetAt(instant));
    if (localDate === null) return null;
    const local = `${localDate} ${localClock}.${fraction}`;
    return this.toInstant(local) === text ? local : null;
  }

  #instantsOf(localMs: number): number[] {
    const around = [localMs - HALF_WINDOW_MS, localMs + HALF_WINDOW_MS].map((at) =>
      this.#offsetAt(at),
    );
    const nearer = around.map((offset) => this.#offsetAt(localMs - offset));
    return [...new Set([...around, ...nearer])]
      .map((offset) => localMs - offset)
      .filter((instant) => instant + this.#offsetAt(instant) === localMs);
  }
}

/** The zone of a column's local times; null for other types. */
export function zoneOf(type: ColumnType): TimeZone | null {
  if (!type.startsWith('timestamp@')) return null;
  return TimeZone.named(type.slice('timestamp@'.length).replace(/\[\]$/, ''));
}

export const isLocalTime = (type: ColumnType): type is LocalTime =>
  type.startsWith('timestamp@') && !type.endsWith('[]');

/** Whether the zone is UTC, which is the default. */
export const isUtc = (name: string): boolean => /^(UTC|Etc\/UTC|\+00:00|-00:00)$/i.test(name);

function fixedOffset(name: string): number | null {
  const [sign, hours, minutes] = (OFFSET.exec(name) ?? []).slice(1).filter((part) => part);
  if (sign === undefined) return null;
  const offset = (Number(hours) * 60 + Number(minutes)) * MINUTE_MS;
  return sign === '-' ? -offset : offset;
}

function isZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** How far the clocks of a zone are ahead of UTC at an instant. */
function offsetsOf(timeZone: string): (utcMs: number) => number {
  const clock = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, calendar: 'gregory', hourCycle: 'h23', era: 'short' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  return (at) => {
    if (Math.abs(at) > MAX_DATE_MS) return 0;
    const parts = Object.fromEntries(
      clock.formatToParts(at).map(({ type, value }) => [type, value]),
    );
    const year = parts['era'] === 'BC' ? 1 - Number(parts['year']) : Number(parts['year']);
    const time = [parts['hour'], parts['minute'], parts['second']].join(':');
    const local = utcMs(year, Number(parts['month']), Number(parts['day']), time) ?? at;
    return local - Math.floor(at / 1000) * 1000;
  };
}

/** The limit of JavaScript's dates. */
const MAX_DATE_MS = 8.64e15;

/** Null if it is not a day, or beyond JavaScript's dates. */
function utcMs(year: number, month: number, day: number, clock: string): number | null {
  const [hours = 0, minutes = 0, seconds = 0] = clock.split(':').map(Number);
  const at = new Date(0);
  at.setUTCFullYear(year, month - 1, day);
  if (at.getUTCMonth() !== month - 1 || at.getUTCDate() !== day) return null;
  at.setUTCHours(hours, minutes, seconds);
  return Number.isNaN(at.getTime()) ? null : at.getTime();
}

/** Date and clock; null for a year before 0. */
function textOf(ms: number): [date: string | null, clock: string] {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime()) || at.getUTCFullYear() < 0) return [null, ''];
  const two = (number: number): string => String(number).padStart(2, '0');
  const date = [
    String(at.getUTCFullYear()).padStart(4, '0'),
    two(at.getUTCMonth() + 1),
    two(at.getUTCDate()),
  ];
  return [
    date.join('-'),
    [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(':'),
  ];
}
