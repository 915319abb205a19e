/**
 * Which texts a column's values can have in a cache key. Templates are compared by these languages
 * (`cache-key-faults.ts`), so every type that a key may have needs a line here. A language may contain more texts than
 * the type has values. Then two templates may be refused although they have no key in common, but never the reverse.
 */
import type { Column, ScalarType } from './column.ts';
import type { CharacterSet, Language } from './language.ts';

/** Well-formed text without NUL. */
const ANY: CharacterSet = [
  [0x1, 0xd7ff],
  [0xe000, 0x10ffff],
];

const set = (...ranges: string[]): CharacterSet =>
  ranges.map((range) => [range.charCodeAt(0), range.charCodeAt(range.length - 1)]);

const one = (...ranges: string[]): Language => ({ one: set(...ranges) });
const many = (language: Language): Language => ({ many: language });
const sequence = (...parts: Language[]): Language => ({ sequence: parts });
const either = (...choices: Language[]): Language => ({ either: choices });
const times = (count: number, language: Language): Language[] =>
  Array.from({ length: count }, () => language);

const DIGIT = one('0-9');
const HEX = one('0-9', 'a-f');
const DASH: Language = { text: '-' };
const NOTHING: Language = { text: '' };

const positive = sequence(one('1-9'), many(DIGIT));
const UNSIGNED = either({ text: '0' }, positive);
const WHOLE = either({ text: '0' }, sequence(either(DASH, NOTHING), positive));
const UUID = sequence(
  ...times(8, HEX),
  ...[4, 4, 4].flatMap((count) => [DASH, ...times(count, HEX)]),
  ...[DASH, ...times(12, HEX)],
);
/** Includes years of more than four digits, `infinity` and zones. */
const TIME_LIKE = many(one('0-9', 'A-Z', 'a-z', '--.', ':', '+', ' '));

/** Any text, for columns of which nothing is known. */
export const ANY_TEXT: Language = many({ one: ANY });

/** The texts of each type's values in a cache key, before escaping. */
const PART_LANGUAGES: Readonly<Record<ScalarType, Language>> = {
  integer: WHOLE,
  bigint: WHOLE,
  uuid: UUID,
  boolean: either({ text: 'true' }, { text: 'false' }),
  date: TIME_LIKE,
  time: TIME_LIKE,
  timestamp: TIME_LIKE,
  decimal: ANY_TEXT,
  real: ANY_TEXT,
  float: ANY_TEXT,
  text: ANY_TEXT,
  json: ANY_TEXT,
  bytes: many(one('0-9', 'A-Z', 'a-z', '+', '/', '=')),
  other: ANY_TEXT,
};

export const isScalarType = (text: string): text is ScalarType =>
  Object.hasOwn(PART_LANGUAGES, text);

/** The texts of one column's values. */
function partLanguage({ type, range }: Pick<Column, 'type' | 'range'>): Language {
  // MySQL's boolean is a small whole number, and may have other values than 0 and 1.
  if (type === 'boolean' && range !== null) return either(PART_LANGUAGES.boolean, WHOLE);
  const isUnsigned = (type === 'integer' || type === 'bigint') && (range?.min ?? -1n) >= 0n;
  return isUnsigned ? UNSIGNED : (PART_LANGUAGES[type as ScalarType] ?? ANY_TEXT);
}

/** The languages of a template's placeholders, by column. */
export function languagesOf(
  columns: readonly Pick<Column, 'name' | 'type' | 'range'>[],
): (column: string) => Language {
  const languages = new Map(columns.map((column) => [column.name, partLanguage(column)]));
  return (column) => languages.get(column) ?? ANY_TEXT;
}
