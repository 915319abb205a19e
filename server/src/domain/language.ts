/**
 * Sets of texts as regular languages. They describe which cache keys a template can make, and decide exactly whether
 * two templates can make the same one. Pure.
 */

/** Inclusive ranges of code points. */
export type CharacterSet = readonly (readonly [number, number])[];

export type Language =
  | { one: CharacterSet }
  | { text: string }
  | { sequence: readonly Language[] }
  | { either: readonly Language[] }
  /** Zero or more repetitions. */
  | { many: Language };

/** A language as a machine that reads a text character by character. It begins in state 0. */
export interface Automaton {
  states: readonly State[];
}

interface State {
  edges: readonly Edge[];
  /** Whether the text may end here. */
  isEnd: boolean;
}

interface Edge {
  characters: CharacterSet;
  to: number;
  /** Which of the joined languages the character belongs to. */
  part: number;
}

/** A state of a machine that may also change its state without reading a character. */
interface Draft {
  part: number;
  free: number[];
  edges: { characters: CharacterSet; to: number }[];
}

/** The machine for the texts of all parts, one after the other. */
export function automatonOf(parts: readonly Language[]): Automaton {
  const drafts: Draft[] = [];
  const add = (part: number): number => drafts.push({ part, free: [], edges: [] }) - 1;
  let end = add(0);
  for (const [part, language] of parts.entries()) {
    const begin = add(part);
    drafts[end]?.free.push(begin);
    end = build(language, begin, drafts, () => add(part));
  }
  return { states: drafts.map((_, at) => stateOf(drafts, at, end)) };
}

/** The state with all transitions from it, including those after steps that read nothing. */
function stateOf(drafts: readonly Draft[], at: number, end: number): State {
  const reached = new Set([at]);
  for (const each of reached) for (const free of drafts[each]?.free ?? []) reached.add(free);
  const edges = [...reached].flatMap((each) => drafts[each]?.edges ?? []);
  return {
    edges: edges.map((edge) => ({ ...edge, part: drafts[edge.to]?.part ?? 0 })),
    isEnd: reached.has(end),
  };
}

/** Adds states that read the language. @returns the state after it */
function build(language: Language, begin: number, states: Draft[], add: () => number): number {
  const join = (from: number, to: number): void => void states[from]?.free.push(to);
  if ('one' in language) {
    const end = add();
    states[begin]?.edges.push({ characters: language.one, to: end });
    return end;
  }
  if ('text' in language) {
    let at = begin;
    for (const character of language.text) {
      const code = character.codePointAt(0) ?? 0;
      at = build({ one: [[code, code]] }, at, states, add);
    }
    return at;
  }
  if ('sequence' in language) {
    return language.sequence.reduce((at, each) => build(each, at, states, add), begin);
  }
  const end = add();
  if ('either' in language) {
    for (const each of language.either) {
      const first = add();
      join(begin, first);
      join(build(each, first, states, add), end);
    }
    return end;
  }
  const first = add();
  join(begin, first);
  join(first, end);
  join(build(language.many, first, states, add), first);
  return end;
}

/** A shortest text that both machines accept; null if there is none. */
export function commonText(left: Automaton, right: Automaton): string | null {
  return search(left, right, false);
}

/**
 * A text that can be divided into the parts in two ways; null if there is none.
 */
export function ambiguousText(automaton: Automaton): string | null {
  return search(automaton, automaton, true);
}

/** Two states that the same text leads to. */
interface Pair {
  left: number;
  right: number;
  /** Whether the two were in different parts after the same character. */
  differs: boolean;
  before: Pair | null;
  read: string;
}

function search(left: Automaton, right: Automaton, mustDiffer: boolean): string | null {
  const seen = new Set<number>([0]);
  const pairs: Pair[] = [{ left: 0, right: 0, differs: false, before: null, read: '' }];
  // The list grows during the loop, so that shorter texts come first.
  for (const pair of pairs) {
    const from = left.states[pair.left];
    const beside = right.states[pair.right];
    if (from === undefined || beside === undefined) continue;
    if (from.isEnd && beside.isEnd && pair.differs === mustDiffer) return textOf(pair);
    for (const one of from.edges) {
      for (const other of beside.edges) {
        const differs = pair.differs || (mustDiffer && one.part !== other.part);
        const at = (one.to * right.states.length + other.to) * 2 + (differs ? 1 : 0);
        if (seen.has(at)) continue;
        const read = commonCharacter(one.characters, other.characters);
        if (read === null) continue;
        seen.add(at);
        pairs.push({ left: one.to, right: other.to, differs, before: pair, read });
      }
    }
  }
  return null;
}

function textOf(pair: Pair): string {
  let text = '';
  for (let at: Pair | null = pair; at !== null; at = at.before) text = at.read + text;
  return text;
}

/** Characters that are preferred in examples, because they are easy to read. */
const PLAIN = [...'x1a0'].map((character) => character.codePointAt(0) ?? 0);

function commonCharacter(left: CharacterSet, right: CharacterSet): string | null {
  if (!overlaps(left, right)) return null;
  const plain = PLAIN.find((code) => has(left, code) && has(right, code));
  if (plain !== undefined) return String.fromCodePoint(plain);
  for (const [low, high] of left) {
    for (const [otherLow, otherHigh] of right) {
      const code = Math.max(low, otherLow);
      if (code <= Math.min(high, otherHigh)) return String.fromCodePoint(code);
    }
  }
  return null;
}

function overlaps(left: CharacterSet, right: CharacterSet): boolean {
  for (const [low, high] of left)
    for (const [otherLow, otherHigh] of right)
      if (low <= otherHigh && otherLow <= high) return true;
  return false;
}

export const has = (characters: CharacterSet, code: number): boolean =>
  characters.some(([low, high]) => low <= code && code <= high);

/** The set without one character. */
export function without(characters: CharacterSet, code: number): CharacterSet {
  return characters.flatMap(([low, high]): [number, number][] => {
    if (code < low || code > high) return [[low, high]];
    const around: [number, number][] = [
      [low, code - 1],
      [code + 1, high],
    ];
    return around.filter(([from, to]) => from <= to);
  });
}

/** The language as the source of a regular expression with the flag `u`. */
export function patternOf(language: Language): string {
  if ('one' in language) {
    const ranges = language.one.map(([low, high]) => `${escaped(low)}-${escaped(high)}`);
    return ranges.length === 0 ? '[]' : `[${ranges.join('')}]`;
  }
  if ('text' in language) {
    return [...language.text].map((character) => escaped(character.codePointAt(0) ?? 0)).join('');
  }
  if ('sequence' in language) return language.sequence.map(patternOf).join('');
  if ('either' in language) return `(?:${language.either.map(patternOf).join('|')})`;
  return `(?:${patternOf(language.many)})*`;
}

const escaped = (code: number): string => `\\u{${code.toString(16)}}`;
