import {
  type CatalogKeyPart,
  type CatalogResource,
  escapedCharacters,
  type KeyTextRule,
  parseTemplate,
  patternOfCharacters,
  percentEncoded,
} from '@lockstep/shared/for-clients';
import type { Key, KeyPart } from './types.ts';

/** Writes the text of a part by its rule; null where that is not certain, so that only the coordinator knows it. */
type PartText = (part: KeyPart) => string | null;

const WHOLE = /^(?:0|-?[1-9]\d{0,29})$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const PART_TEXTS: Record<KeyTextRule, PartText> = {
  whole: (part) => {
    if (typeof part === 'number') return Number.isSafeInteger(part) ? String(part) : null;
    if (typeof part === 'string') return WHOLE.test(part) ? part : null;
    return typeof part === 'bigint' ? String(part) : null;
  },
  text: (part) => {
    // UTF-8 would make one character of all unpaired halves of characters.
    if (typeof part === 'string') return part.isWellFormed() ? part : null;
    return typeof part === 'number' && Number.isSafeInteger(part) ? String(part) : null;
  },
  trimmed: (part) => PART_TEXTS.text(part)?.replace(/ +$/, '') ?? null,
  uuid: (part) => {
    const text = typeof part === 'string' ? part.toLowerCase() : '';
    return UUID.test(text) ? text : null;
  },
  boolean: (part) => (typeof part === 'boolean' ? String(part) : null),
  coordinator: () => null,
};

/** Their texts have letters, digits and hyphens only. */
const PLAIN_RULES: ReadonlySet<KeyTextRule> = new Set(['whole', 'uuid', 'boolean']);

/** If a later release has a rule that this one does not know, the coordinator reads the key. */
const ruleOf = ({ text }: CatalogKeyPart): PartText =>
  (PART_TEXTS as Partial<Record<string, PartText>>)[text] ?? PART_TEXTS.coordinator;

/** A key whose text is certain. */
export interface EntryKey {
  cacheKey: string;
  /** The key's parts, in the resource's order. */
  parts: readonly string[];
}

/** Makes the cache keys of one resource, the same as the coordinator makes. */
export class CacheKeys {
  readonly #rules: readonly PartText[];
  readonly #pieces: readonly (string | number)[];
  readonly #escaped: RegExp;
  /** The text around the only part of a simple template. */
  readonly #around: readonly [before: string, after: string] | null;
  /** Of a simple template: no text of its part has a character that is escaped. */
  readonly #isPlain: boolean;

  /** @throws Error where the template is none */
  constructor({ key, cacheKey }: Pick<CatalogResource, 'key' | 'cacheKey'>) {
    const template = parseTemplate(cacheKey);
    this.#rules = key.map(ruleOf);
    this.#pieces = template.map((piece) =>
      'literal' in piece ? piece.literal : key.findIndex(({ name }) => name === piece.column),
    );
    if (this.#pieces.includes(-1)) throw new Error('names a column that is not of the key');
    this.#escaped = patternOfCharacters(escapedCharacters(template));
    this.#around = this.#simple();
    this.#isPlain = key.every(({ text }) => PLAIN_RULES.has(text));
  }

  /** Null where the coordinator alone can make the cache key, or must refuse the key. */
  of(key: Key): EntryKey | null {
    const given: readonly KeyPart[] = typeof key === 'object' ? key : [key];
    if (given.length !== this.#rules.length) return null;
    const parts: string[] = [];
    for (const [index, rule] of this.#rules.entries()) {
      const part = given[index];
      const text = part === undefined ? null : rule(part);
      if (text === null) return null;
      parts.push(text);
    }
    return { cacheKey: this.#render(parts), parts };
  }

  #render(parts: readonly string[]): string {
    if (this.#around !== null) {
      const [part = ''] = parts;
      return this.#around[0] + (this.#isPlain ? part : this.#escape(part)) + this.#around[1];
    }
    let cacheKey = '';
    for (const piece of this.#pieces)
      cacheKey += typeof piece === 'string' ? piece : this.#escape(parts[piece] ?? '');
    return cacheKey;
  }

  #escape(text: string): string {
    return text.replace(this.#escaped, percentEncoded);
  }

  #simple(): readonly [string, string] | null {
    const [before = '', part, after = '', ...rest] =
      typeof this.#pieces[0] === 'number' ? ['', ...this.#pieces] : this.#pieces;
    const isSimple = typeof before === 'string' && part === 0 && typeof after === 'string';
    return isSimple && rest.length === 0 ? [before, after] : null;
  }
}
