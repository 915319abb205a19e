/** Numbers and times as text whose width does not jump. Pure functions. */

const exact = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const day = new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: 'short' });

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Shown if there is no number. */
export const NOTHING = '–';

const twoDigits = (value: number): string => String(value).padStart(2, '0');

/** An exact count: `12,345`. */
export function countText(value: number): string {
  return exact.format(value);
}

/** `1 key`, `2 keys`. `many` is needed only for irregular plurals. */
export function countOf(value: number, one: string, many = `${one}s`): string {
  return `${countText(value)} ${value === 1 ? one : many}`;
}

/** A rate or another measured amount in at most four characters before its suffix: `0.4`, `312`, `12.4k`. */
export function amountText(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  const size = Math.abs(value);
  if (size >= 999_950) return `${(value / 1_000_000).toFixed(1)}M`;
  if (size >= 9_999.5) return `${(value / 1000).toFixed(1)}k`;
  if (size >= 99.95 || Number.isInteger(value)) return countText(value);
  return value.toFixed(1);
}

/** A duration for reading: `0.8 ms`, `42 ms`, `1.24 s`, `4 min 05 s`, `2 h 10 min`, `3 d 4 h`. */
export function durationText(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return NOTHING;
  const size = Math.max(0, ms);
  if (size < 9.95) return size === 0 ? '0 ms' : `${size.toFixed(1)} ms`;
  if (size < 999.5) return `${Math.round(size)} ms`;
  if (size < 9_995) return `${(size / SECOND_MS).toFixed(2)} s`;
  if (size < 59_950) return `${(size / SECOND_MS).toFixed(1)} s`;
  const seconds = Math.round(size / SECOND_MS);
  if (size < HOUR_MS) return `${Math.floor(seconds / 60)} min ${twoDigits(seconds % 60)} s`;
  const minutes = Math.round(size / MINUTE_MS);
  if (size < DAY_MS) return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
  const hours = Math.round(size / HOUR_MS);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A bound or setting, without digits that say nothing: `500 ms`, `10 s`, `15 min`, `1 h`, `1.5 h`. */
export function spanText(ms: number): string {
  const units: [number, string][] = [
    [DAY_MS, 'd'],
    [HOUR_MS, 'h'],
    [MINUTE_MS, 'min'],
    [SECOND_MS, 's'],
  ];
  const [size, unit] = units.find(([atLeast]) => ms >= atLeast) ?? [1, 'ms'];
  return `${Number((ms / size).toFixed(1))} ${unit}`;
}

/** The same in as few characters as possible, for an axis: `33s`, `1.1m`, `2h`. */
export function tinySpanText(ms: number): string {
  return spanText(ms).replace(' min', 'm').replace(' ', '');
}

/** The time left on a countdown: `7.4 s` below a minute, then `4:05`, then `1:04:05`. */
export function countdownText(ms: number): string {
  const left = Math.max(0, ms);
  if (left < MINUTE_MS) return `${(Math.floor(left / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(left / SECOND_MS);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${twoDigits(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${twoDigits(minutes % 60)}:${twoDigits(seconds % 60)}`;
}

/**
 * A share as a percentage that never rounds up to 100%: `99.97%`, and `100%` only if it is exactly 1.
 * @param digits the least number of decimals if it is not whole
 */
export function percentText(share: number | null | undefined, digits = 1): string {
  if (share === null || share === undefined) return NOTHING;
  if (share >= 1) return '100%';
  if (share <= 0) return '0%';
  const percent = share * 100;
  const scale = 10 ** (percent > 99 ? Math.max(digits, 3) : digits);
  return `${Number((Math.floor(percent * scale + 1e-9) / scale).toFixed(4))}%`;
}

/** Time of day in the reader's own zone: `12:03:07`. */
export function clockText(atMs: number): string {
  return clock.format(atMs);
}

/** Time of day, with the date unless it is within the last 20 hours of `nowMs`. */
export function momentText(atMs: number, nowMs: number): string {
  const near = Math.abs(nowMs - atMs) < 20 * HOUR_MS;
  return near ? clockText(atMs) : `${day.format(atMs)} ${clockText(atMs)}`;
}

/** How long ago, coarsely, for tables that update every second: `now`, `12 s ago`, `4 min ago`. */
export function agoText(ageMs: number): string {
  if (ageMs < 2 * SECOND_MS) return 'now';
  if (ageMs < MINUTE_MS) return `${Math.floor(ageMs / SECOND_MS)} s ago`;
  if (ageMs < HOUR_MS) return `${Math.floor(ageMs / MINUTE_MS)} min ago`;
  if (ageMs < DAY_MS) return `${Math.floor(ageMs / HOUR_MS)} h ago`;
  return `${Math.floor(ageMs / DAY_MS)} d ago`;
}

/** How long until something is due, in the same words: `now`, `in 34 s`, `in 4 min`. */
export function dueText(leftMs: number): string {
  const text = agoText(leftMs);
  return text === 'now' ? text : `in ${text.replace(' ago', '')}`;
}

/** Bytes: `812 B`, `1.4 kB`, `2.1 MB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
