/**
 * Finds the keys of a cache that are about rows of a table: keys that name the table, in the singular or the plural, and
 * then have a value for each column of its key: `user:42`, `app:user:42:profile`, `order_item:7-2`. Pure.
 */
import { type Column, placeholderOf } from '../domain/index.ts';
import { wordOf, wordsOf } from './names.ts';
import type { SampledKey } from './redis-sample.ts';

/** A table whose keys are looked for. */
export interface NamedTable {
  /** Its resource. */
  resource: string;
  /** Without its schema. */
  table: string;
  key: readonly Column[];
}

/** Keys of one form that are about rows of one table. */
export interface KeyPattern {
  resource: string;
  /** Such as `app:user:{id}:profile`. */
  template: string;
  keys: SampledKey[];
}

const SEPARATOR = /([:/|.#]+)/;
const JOINERS = [',', '-', '_'] as const;

/** The patterns that the keys have, the one with the most keys first. Keys that fit no table are left out. */
export function keyPatterns(
  tables: readonly NamedTable[],
  keys: readonly SampledKey[],
): KeyPattern[] {
  const byWord = tablesByWord(tables);
  const patterns = new Map<string, KeyPattern>();
  for (const key of keys) {
    const found = bestMatch(key.name, byWord);
    if (found === null) continue;
    const { resource, template } = found;
    const id = `${resource} ${template}`;
    const pattern = patterns.get(id) ?? { resource, template, keys: [] };
    pattern.keys.push(key);
    patterns.set(id, pattern);
  }
  return [...patterns.values()].sort((one, other) => other.keys.length - one.keys.length);
}

interface WordUse {
  table: NamedTable;
  /** 0: the table's own name; more: another form of it. */
  distance: number;
}

function tablesByWord(tables: readonly NamedTable[]): Map<string, WordUse[]> {
  const byWord = new Map<string, WordUse[]>();
  for (const table of tables) {
    for (const [distance, word] of wordsOf(table.table).entries()) {
      byWord.set(word, [...(byWord.get(word) ?? []), { table, distance }]);
    }
  }
  return byWord;
}

interface Match {
  resource: string;
  template: string;
  distance: number;
}

/** The nearest form of a table's name wins, then the first in the key. */
function bestMatch(name: string, byWord: ReadonlyMap<string, readonly WordUse[]>): Match | null {
  // A brace would be a placeholder in a template.
  if (/[{}\uFFFD]/.test(name)) return null;
  const pieces = name.split(SEPARATOR);
  let best: Match | null = null;
  for (let at = 0; at < pieces.length; at += 2) {
    for (const split of wordSplits(pieces, at)) {
      for (const { table, distance } of byWord.get(wordOf(split.word)) ?? []) {
        if (best !== null && best.distance <= distance) continue;
        const template = templateOf(split, table.key);
        if (template !== null) best = { resource: table.resource, template, distance };
      }
    }
  }
  return best;
}

/** A key cut at the word that may name a table. */
interface Split {
  word: string;
  /** Up to the values, the word included. */
  before: string;
  /** Values and separators in turn, a value first. */
  rest: string[];
}

function* wordSplits(pieces: readonly string[], at: number): Generator<Split> {
  const word = pieces[at] ?? '';
  const left = pieces.slice(0, at).join('');
  const rest = pieces.slice(at + 2);
  if (rest.length > 0) yield { word, before: left + word + (pieces[at + 1] ?? ''), rest };
  // `user-42` and `user_42` have the name and the value in one piece.
  for (const joiner of ['-', '_']) {
    const place = word.indexOf(joiner, 1);
    if (place < 0) continue;
    const own = word.slice(0, place);
    const value = word.slice(place + 1);
    yield { word: own, before: left + own + joiner, rest: [value, ...pieces.slice(at + 1)] };
  }
}

function templateOf({ before, rest }: Split, key: readonly Column[]): string | null {
  const values = valuesOf(rest, key);
  if (values === null || hasOtherIds(before) || hasOtherIds(values.after)) return null;
  return before + values.template + values.after;
}

function valuesOf(
  rest: readonly string[],
  key: readonly Column[],
): { template: string; after: string } | null {
  const placeholders = key.map(({ name }) => placeholderOf(name));
  const pieces = rest.slice(0, key.length * 2 - 1);
  const apart = pieces.filter((_, index) => index % 2 === 0);
  if (fits(apart, key)) {
    const template = placeholders
      .map((placeholder, index) => placeholder + (pieces[index * 2 + 1] ?? ''))
      .join('');
    return { template, after: rest.slice(pieces.length).join('') };
  }
  if (key.length === 1) return null;
  const joiner = JOINERS.find((each) => fits((rest[0] ?? '').split(each), key));
  if (joiner === undefined) return null;
  return { template: placeholders.join(joiner), after: rest.slice(1).join('') };
}

const fits = (values: readonly string[], key: readonly Column[]): boolean =>
  values.length === key.length &&
  key.every((column, index) => isValueOf(column, values[index] ?? ''));

const WHOLE = /^(0|-?[1-9]\d{0,18})$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function isValueOf({ type }: Column, text: string): boolean {
  if (type === 'integer' || type === 'bigint') return WHOLE.test(text);
  return type === 'uuid' ? UUID.test(text) : text !== '';
}

/** Whether the text has a value of something else, such as another row's id, so that it is no fixed part of a template. */
const hasOtherIds = (text: string): boolean =>
  text
    .split(SEPARATOR)
    .some((piece) => /^\d+$/.test(piece) || UUID.test(piece) || /^[0-9a-f]{16,}$/i.test(piece));
