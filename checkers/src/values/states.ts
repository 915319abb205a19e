import { isJsonObject, type JsonValue } from '@lockstep/shared';
import { canonical } from '../history.ts';
import { sumOf } from '../sum.ts';

/** No such state: a step that is not possible. */
export const IMPOSSIBLE = -1;

/**
 * The states of one register, numbered as they are met, so that the search compares and hashes small integers.
 * The class of a state is what increments of `fields` can't change about it.
 */
export class States {
  readonly #values: JsonValue[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #classes: number[] = [];
  readonly #classNumbers = new Map<string, number>();
  readonly #incremented: ReadonlySet<string>;
  readonly absent: number;

  /** @param incremented the fields that some operation increments; `''` for the register itself */
  constructor(incremented: ReadonlySet<string>) {
    this.#incremented = incremented;
    this.absent = this.of(null);
  }

  of(value: JsonValue): number {
    const text = canonical(value);
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const state = this.#values.length;
    this.#numbers.set(text, state);
    this.#values.push(value);
    this.#classes.push(this.#classOf(value));
    return state;
  }

  valueOf(state: number): JsonValue {
    return this.#values[state] ?? null;
  }

  classOf(state: number): number {
    return this.#classes[state] ?? IMPOSSIBLE;
  }

  /** The number that increments change, one of them where they change several; `null` where the state has none. */
  numberOf(state: number): number | null {
    const [field = ''] = this.#incremented;
    const value = this.valueOf(state);
    if (field === '') return numberIn(value);
    return isJsonObject(value) ? numberIn(value[field] ?? null) : null;
  }

  /** The state after adding `by` to a number, or to a row's field; `IMPOSSIBLE` where there is no such number. */
  sum(state: number, by: number, field: string | undefined): number {
    const value = sumOf(this.valueOf(state), by, field);
    return value === undefined ? IMPOSSIBLE : this.of(value);
  }

  #classOf(value: JsonValue): number {
    const text = canonical(this.#withoutNumbers(value));
    const known = this.#classNumbers.get(text);
    if (known !== undefined) return known;
    const number = this.#classNumbers.size;
    this.#classNumbers.set(text, number);
    return number;
  }

  #withoutNumbers(value: JsonValue): JsonValue {
    if (value === null || Array.isArray(value)) return value;
    if (typeof value !== 'object') return this.#incremented.has('') ? 'any number' : value;
    return Object.fromEntries(
      Object.entries(value).filter(([name]) => !this.#incremented.has(name)),
    );
  }
}

function numberIn(value: JsonValue): number | null {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : null;
}
