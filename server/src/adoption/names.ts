/** Names of resources, and the words by which keys in a cache may call a table. Pure. */
import type { Relation } from './relations.ts';

const MAX_NAME = 63;

/**
 * A name for each relation's resource, in order. No two differ in case or punctuation alone: variables such as
 * `LOCKSTEP_RESOURCES_USER_ROLE_TTL` could not tell them apart.
 */
export function resourceNames(relations: readonly Relation[]): string[] {
  const taken = new Set<string>();
  return relations.map((relation) => {
    const name = freeName(relation, taken);
    taken.add(wordOf(name));
    return name;
  });
}

function freeName({ schema, name }: Relation, taken: ReadonlySet<string>): string {
  const own = asResourceName(name);
  if (!taken.has(wordOf(own))) return own;
  const withSchema = asResourceName(`${schema}_${name}`);
  if (!taken.has(wordOf(withSchema))) return withSchema;
  for (let number = 2; ; number += 1) {
    const ending = `-${number}`;
    const numbered = own.slice(0, MAX_NAME - ending.length) + ending;
    if (!taken.has(wordOf(numbered))) return numbered;
  }
}

/** What is left of a name where only letters, digits, `-` and `_` are allowed, after a letter. */
function asResourceName(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^A-Za-z0-9_-]+/g, '_')
    .replace(/^_+(?=.)|_+$/g, '');
  return (/^[A-Za-z]/.test(plain) ? plain : `t_${plain}`).slice(0, MAX_NAME);
}

/** Letters and digits in lower case: `OrderItems`, `order_items` and `order-items` are one word. */
export const wordOf = (text: string): string =>
  text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');

/** A table's name in the singular and the plural, as words; the name itself first. */
export function wordsOf(table: string): string[] {
  const word = wordOf(table);
  return [...new Set([word, singularOf(word), pluralOf(word)])].filter((each) => each !== '');
}

function singularOf(word: string): string {
  if (/ies$/.test(word)) return word.replace(/ies$/, 'y');
  if (/(ss|x|z|ch|sh)es$/.test(word)) return word.slice(0, -2);
  return /[^su]s$/.test(word) ? word.slice(0, -1) : word;
}

function pluralOf(word: string): string {
  if (/[^aeiou]y$/.test(word)) return word.replace(/y$/, 'ies');
  if (/(s|x|z|ch|sh)$/.test(word)) return `${word}es`;
  return `${word}s`;
}
