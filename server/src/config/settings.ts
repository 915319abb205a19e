/**
 * The kinds of single settings. Each takes a value from YAML, JSON, TypeScript or an environment variable, and reports
 * a wrong value in the same form: what is wrong; what is allowed.
 */
import { z } from 'zod';
import { tableName, tableNameParts } from '../domain/index.ts';

const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const UNITS_BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2 } as const;

export const SECOND_MS = UNITS_MS.s;
export const MINUTE_MS = UNITS_MS.m;
export const HOUR_MS = UNITS_MS.h;
export const DAY_MS = UNITS_MS.d;

interface SettingOptions {
  /** Its value is never shown in a message. */
  secret?: boolean;
}

/** One setting. `parse` returns undefined for a value that is not allowed. */
export function setting<T>(
  allowed: string,
  parse: (input: unknown) => T | undefined,
  options: SettingOptions = {},
) {
  return z.unknown().transform((input, context): T => {
    const value = input === undefined || input === null ? undefined : parse(input);
    if (value !== undefined) return value;
    const wrong =
      input === undefined || input === null
        ? 'is missing'
        : `is ${options.secret === true ? `a wrong ${typeName(input)}` : show(input)}`;
    context.addIssue({ code: 'custom', message: `${wrong}; allowed: ${allowed}` });
    return z.NEVER;
  });
}

/** A duration such as `500ms`, `8s`, `10m`, `1h`, `1d`, or a number of milliseconds. */
export function parseDurationMs(input: unknown): number | undefined {
  if (typeof input === 'number') return Number.isSafeInteger(input) ? input : undefined;
  if (typeof input !== 'string') return undefined;
  const [, amount, unit = 'ms'] = /^(\d{1,15}(?:\.\d{1,6})?) ?(ms|s|m|h|d)?$/.exec(input) ?? [];
  if (amount === undefined || !(unit in UNITS_MS)) return undefined;
  const durationMs = Number(amount) * UNITS_MS[unit as keyof typeof UNITS_MS];
  return Number.isSafeInteger(durationMs) ? durationMs : undefined;
}

export const duration = (minMs: number, maxMs: number) =>
  setting(
    `a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 500ms, 8s, 10m or 1h`,
    (input) => within(parseDurationMs(input), minMs, maxMs),
  );

export const bytes = (min: number, max: number) =>
  setting(`a size from ${min} to ${max} bytes, such as 65536 or 256KiB`, (input) =>
    within(parseBytes(input), min, max),
  );

export const whole = (min: number, max: number) =>
  setting(`a whole number from ${min} to ${max}`, (input) => within(parseWhole(input), min, max));

export const fraction = (min: number, max: number) =>
  setting(`a number from ${min} to ${max}`, (input) => within(parseNumber(input), min, max));

export const flag = () =>
  setting('true or false', (input) => {
    if (input === true || input === 'true') return true;
    return input === false || input === 'false' ? false : undefined;
  });

export const oneOf = <const T extends string>(values: readonly T[]) =>
  setting(values.join(', '), (input) => values.find((value) => value === input));

export const text = (allowed: string, pattern: RegExp, options: SettingOptions = {}) =>
  setting(
    allowed,
    (input) => (typeof input === 'string' && pattern.test(input) ? input : undefined),
    options,
  );

/** The longest name of a table or column, in characters; the database may allow less. */
const MAX_NAME = 64;

/** A name in the database, for example of a column. */
export const parseName = (input: unknown): string | undefined =>
  typeof input === 'string' && /^[^\0]+$/.test(input) && [...input].length <= MAX_NAME
    ? input
    : undefined;

/** A table: its name, with its schema before it where there is one; or a list of the two. */
export const table = () =>
  setting(
    'the name of a table, such as orders or app.orders (with double quotes around a part that contains a dot), or a list of schema and table',
    parseTable,
  );

function parseTable(input: unknown): string | undefined {
  const parts = typeof input === 'string' ? partsOf(input) : asArray(input);
  if (parts.length < 1 || parts.length > 2) return undefined;
  const names = parts.flatMap((part) => parseName(part) ?? []);
  return names.length === parts.length ? tableName(names) : undefined;
}

function partsOf(text: string): string[] {
  try {
    return tableNameParts(text);
  } catch {
    return [];
  }
}

/** A list. Text is split at its commas, so that an environment variable can contain a list. */
export function list<T>(
  allowed: string,
  parse: (item: unknown) => T | undefined,
  bounds: { min: number; max: number },
  options: SettingOptions = {},
) {
  return setting(
    allowed,
    (input) => {
      const items: unknown[] = typeof input === 'string' ? splitList(input) : asArray(input);
      if (items.length < bounds.min || items.length > bounds.max) return undefined;
      const parsed: T[] = [];
      for (const item of items) {
        const value = parse(item);
        if (value === undefined) return undefined;
        parsed.push(value);
      }
      return new Set(parsed).size === parsed.length ? parsed : undefined;
    },
    options,
  );
}

/** A URL of one of the schemes, kept as it was written; undefined otherwise. */
export function parseUrl(input: unknown, schemes: readonly string[]): string | undefined {
  if (typeof input !== 'string' || !URL.canParse(input)) return undefined;
  const { protocol, hostname } = new URL(input);
  return schemes.includes(protocol.slice(0, -1)) && hostname !== '' ? input : undefined;
}

/** An object. An unknown name is a fault that lists the known ones. */
export function group<Shape extends z.ZodRawShape>(shape: Shape) {
  const names = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') return `is not known; allowed: ${names}`;
      return `is ${typeName(issue.input)}; allowed: an object with ${names}`;
    },
  });
}

export function formatDuration(durationMs: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (durationMs >= UNITS_MS[unit] && durationMs % UNITS_MS[unit] === 0) {
      return `${durationMs / UNITS_MS[unit]}${unit}`;
    }
  }
  return `${durationMs}ms`;
}

/** A number with a unit, which is never a secret. */
const QUANTITY = /^-?\d{1,9}(\.\d{1,6})? ?(ms|s|m|h|d|B|KiB|MiB)$/;

/**
 * A wrong value as a message shows it: never a text or an object's content. A text in the wrong field may be another
 * field's secret, such as a URL with a password, or a token.
 */
export function show(input: unknown): string {
  if (typeof input === 'string') {
    if (QUANTITY.test(input)) return JSON.stringify(input);
    return input === '' ? 'empty' : 'a wrong text';
  }
  if (typeof input === 'number' || typeof input === 'boolean') return String(input);
  return typeName(input);
}

/** An unknown name in the file, as a message shows it: a secret in the wrong place may be a name, too. */
export const showName = (name: string): string =>
  /^[A-Za-z]{1,24}$/.test(name) ? name : `(a name of ${name.length} characters)`;

function typeName(input: unknown): string {
  if (input === null) return 'null';
  if (input === undefined) return 'nothing';
  if (Array.isArray(input)) return 'list';
  return typeof input === 'string' ? 'text' : typeof input;
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

function parseNumber(input: unknown): number | undefined {
  if (typeof input === 'number') return input;
  return typeof input === 'string' && /^-?\d+(\.\d+)?$/.test(input) ? Number(input) : undefined;
}

function parseWhole(input: unknown): number | undefined {
  const value = parseNumber(input);
  return Number.isSafeInteger(value) ? value : undefined;
}

function parseBytes(input: unknown): number | undefined {
  const [, amount, unit = 'B'] =
    /^(\d{1,12}) ?(B|KiB|MiB)?$/.exec(typeof input === 'string' ? input : '') ?? [];
  if (amount === undefined) return parseWhole(input);
  return Number(amount) * UNITS_BYTES[unit as keyof typeof UNITS_BYTES];
}

const asArray = (input: unknown): unknown[] => (Array.isArray(input) ? (input as unknown[]) : []);

const splitList = (input: string): string[] =>
  input
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
