/**
 * Several resources over one table that name its rows by the same columns share these rows: one version, one fence, one
 * lock and one place in the outbox a row, under one name and in one spelling of the key. A write through any of them
 * treats the entries of all.
 */
import { keyOfParts } from './key.ts';
import type { Key, Resource } from './resource.ts';

export class SharedRows {
  /** Under which versions, fences, locks and outbox rows of the rows are kept. Stays when resources come and go. */
  readonly name: string;
  /** By the key's columns in the order of the shared spelling, their places among the resource's own. */
  readonly order: readonly number[];
  readonly #siblings: readonly Resource[];

  /** @param siblings the other resources over the rows, with what they share set too */
  constructor(name: string, order: readonly number[], siblings: readonly Resource[]) {
    this.name = name;
    this.order = order;
    this.#siblings = siblings;
  }

  get siblings(): readonly Resource[] {
    return this.#siblings;
  }

  /** For comparing configurations: what a write must know of the others. */
  toJSON(): { name: string; siblings: string[] } {
    const siblings = this.#siblings.map(
      ({ name, policy, format, cacheKey, onWrite }) =>
        `${name} ${policy} ${format} ${onWrite} ${cacheKey.text}`,
    );
    return { name: this.name, siblings: siblings.sort() };
  }
}

/** The name under which the resource's rows are kept: its own, or the one that it shares. */
export const rowsName = ({ name, shared }: Resource): string => shared?.name ?? name;

/** The key's parts in the order of the shared spelling. */
export const sharedParts = (
  { shared }: Pick<Resource, 'shared'>,
  parts: readonly string[],
): readonly string[] =>
  shared === undefined ? parts : shared.order.map((place) => parts[place] ?? '');

/** The key's parts in the resource's own order, from those of the shared spelling. Inverse of `sharedParts`. */
export function ownParts(
  { shared }: Pick<Resource, 'shared'>,
  parts: readonly string[],
): readonly string[] {
  if (shared === undefined) return parts;
  const own = [...parts];
  for (const [index, place] of shared.order.entries()) own[place] = parts[index] ?? '';
  return own;
}

/** The same row's keys of the other resources over it. */
export function siblingKeys(key: Key): Key[] {
  const { shared } = key.resource;
  if (shared === undefined) return [];
  const parts = sharedParts(key.resource, key.parts);
  return shared.siblings.map((sibling) => keyOfParts(sibling, ownParts(sibling, parts)));
}

/**
 * The strict entries of the row, the key's own first. A write of the row is fenced, holds the lock, and puts an intent
 * on each of them; none: nobody reads the row strictly.
 */
export function strictKeys(key: Key): Key[] {
  const own = key.resource.policy === 'strict' ? [key] : [];
  if (key.resource.shared === undefined) return own;
  return [...own, ...siblingKeys(key).filter(({ resource }) => resource.policy === 'strict')];
}

/** Whether writes of the resource's rows are fenced: it, or another one over them, is strict. */
export const isFenced = ({ policy, shared }: Pick<Resource, 'policy' | 'shared'>): boolean =>
  policy === 'strict' || shared?.siblings.some((sibling) => sibling.policy === 'strict') === true;

/**
 * The row's keys of others that a write invalidates when it is committed. What is refreshed is rewritten by its
 * schedule alone, and strict entries have intents.
 */
export function invalidatedSiblings(key: Key): Key[] {
  if (key.resource.shared === undefined) return [];
  return siblingKeys(key).filter(({ resource }) => isInvalidated(resource));
}

/** Whether writes of the resource's rows invalidate entries of other resources over them. */
export const hasInvalidatedSiblings = ({ shared }: Pick<Resource, 'shared'>): boolean =>
  shared?.siblings.some(isInvalidated) === true;

const isInvalidated = ({ policy }: Resource): boolean =>
  policy !== 'none' && policy !== 'refresh' && policy !== 'strict';
