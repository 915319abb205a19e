/**
 * Dates and times in the canonical form in which they are answered and written. This decides what a text means; the
 * database decides which values a column can hold.
 */
import type { Column } from './column.ts';

/** PostgreSQL's dates before and after all others. */
const INFINITE = /^-?infinity$/;
/** Years may have more than four digits, and may be BC. */
const DATE = /^(\d{4,7})-(\d{2})-(\d{2})( BC)?$/;
const CLOCK = /^(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?$/;
const TIME =
  /^(-?)(\d{1,3}):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d{2}(?::?\d{2}(?::\d{2})?)?)?$/;
const INSTANT =
  /^(\d{4,6}-\d{2}-\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6})\d*)?)?(Z|[+-]\d{2}(?::?\d{2})?)$/i;
/** As PostgreSQL writes a time before Christ. */
const BEFORE_CHRIST = /^(\d{4,6}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)(\+00)? BC$/;
/** As MySQL writes a time whose date is not in the calendar. */
const DATABASE_TIME = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)$/;

type Dates = Pick<Column, 'zeroDates'>;

/** The text itself if it is a date of the column's database, else null. */
export function dateText(text: string, column: Dates): string | null {
  if (column.zeroDates === true) return isDay(text) || isZeroDate(text) ? text : null;
  return isDay(text) || INFINITE.test(text) ? text : null;
}

/**
 * An instant in UTC, `2026-01-02T03:04:05.678Z`, with microseconds if there are any. Values that cannot be written so
 * (BC, infinite, MySQL's dates with zeros) stay as the database writes them. Null if the text is none of these.
 */
export function instantText(text: string, column: Dates): string | null {
  const [, date, hour = '', minute = '', second = '00', fraction = '', offset = ''] =
    INSTANT.exec(text) ?? [];
  if (date === undefined) return databaseTime(text, column);
  if (!isDay(date) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  const clock = `${hour}:${minute}:${second}`;
  if (/^(Z|[+-]00(:?00)?)$/i.test(offset)) return `${date}T${clock}${fractionOfSecond(fraction)}Z`;
  const at = new Date(`${extendedYear(date)}T${clock}Z`);
  at.setTime(at.getTime() - offsetMs(offset));
  if (Number.isNaN(at.getTime())) return null;
  const utc = plainYear(at.toISOString());
  return utc === null ? null : `${utc.slice(0, -5)}${fractionOfSecond(fraction)}Z`;
}

function databaseTime(text: string, { zeroDates }: Dates): string | null {
  if (zeroDates === true) {
    const [, date = '', clock = ''] = DATABASE_TIME.exec(text) ?? [];
    return isZeroDate(date) && isClock(clock) ? text : null;
  }
  if (INFINITE.test(text)) return text;
  const [, date = '', clock = ''] = BEFORE_CHRIST.exec(text) ?? [];
  return isDay(`${date} BC`) && isClock(clock) ? text : null;
}

/** A time of day or, on MySQL, a span of up to 838 hours of either sign; as it was written. */
export const timeText = (text: string): string | null => (TIME.test(text) ? text : null);

/** The canonical text of a time: always with seconds, without zeros at the end of the fraction, without an offset. */
export function canonicalTime(text: string): string | null {
  const [, sign = '', hours, minutes = '', seconds = '00', fraction = '', offset] =
    TIME.exec(text) ?? [];
  if (hours === undefined || offset !== undefined) return null;
  const digits = fraction.replace(/0+$/, '');
  const clock = `${String(Number(hours)).padStart(2, '0')}:${minutes}:${seconds}`;
  const time = digits === '' ? clock : `${clock}.${digits}`;
  return /[1-9]/.test(time) ? sign + time : time;
}

/** Whether it is a day of the Gregorian calendar, in any year. */
function isDay(text: string): boolean {
  const [, year = '', month = '', day = '', before] = DATE.exec(text) ?? [];
  if (year === '' || (year.length > 4 && year.startsWith('0'))) return false;
  // The year before 1 AD is 1 BC, which is a leap year.
  const number = before === undefined ? Number(year) : 1 - Number(year);
  if (before !== undefined && Number(year) === 0) return false;
  const isLeap = number % 4 === 0 && (number % 100 !== 0 || number % 400 === 0);
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  return Number(day) >= 1 && Number(day) <= (days[Number(month) - 1] ?? 0);
}

/** Whether it is a MySQL date whose day, month or everything is zero. */
function isZeroDate(text: string): boolean {
  const [, month = '', day = ''] = /^\d{4}-(\d{2})-(\d{2})$/.exec(text) ?? [];
  if (month === '' || Number(month) > 12 || Number(day) > 31) return false;
  return Number(month) === 0 || Number(day) === 0;
}

function isClock(text: string): boolean {
  const [, hour = '', minute = '', second = ''] = CLOCK.exec(text) ?? [];
  return hour !== '' && Number(hour) <= 23 && Number(minute) <= 59 && Number(second) <= 59;
}

/** JavaScript needs years beyond 9999 as `+012345`. */
const extendedYear = (date: string): string =>
  date.replace(/^(\d{5,6})-/, (_, year: string) => `+${year.padStart(6, '0')}-`);

function plainYear(iso: string): string | null {
  if (iso.startsWith('-')) return null;
  return iso.replace(/^\+0*(\d{5,6})-/, '$1-');
}

function offsetMs(offset: string): number {
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(3).replace(':', ''));
  return (offset.startsWith('-') ? -1 : 1) * minutes * 60_000;
}

/** Milliseconds, and microseconds if there are any. */
export function fractionOfSecond(digits: string): string {
  const micros = digits.padEnd(6, '0').slice(0, 6);
  return `.${micros.endsWith('000') ? micros.slice(0, 3) : micros}`;
}
