/**
 * Values in the memory of this process, up to a bound in bytes: the one that was asked for longest ago goes first.
 *
 * Invariants
 *   - what is counted never exceeds the bound, and no value larger than a part of it is kept
 *   - a value is not found once its life in the cache is over
 */
import type { CachedValue } from './entry-reader.ts';

/** A value larger than this part of the bound would drive out too many others. */
const LARGEST_PART = 1 / 8;
/** Of an entry, beside its texts, as measured on Node 20 and counted generously. */
const ENTRY_BYTES = 400;
/** Texts that have characters beyond Latin-1 take two bytes for each. */
const CHARACTER_BYTES = 2;

export interface LocalEntry {
  resource: string;
  value: CachedValue;
  /** Characters of the entry's text in the cache, which the value's text is a part of. */
  characters: number;
  /** By this process's monotonic clock. */
  endsAtMs: number;
}

interface KeptEntry extends LocalEntry {
  bytes: number;
}

export class LocalEntries {
  readonly #maxBytes: number;
  /** The last asked for is the last. */
  readonly #entries = new Map<string, KeptEntry>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#entries.size;
  }

  find(cacheKey: string, nowMs: number): CachedValue | undefined {
    const entry = this.#entries.get(cacheKey);
    if (entry === undefined) return undefined;
    if (entry.endsAtMs <= nowMs) {
      this.forget(cacheKey);
      return undefined;
    }
    this.#entries.delete(cacheKey);
    this.#entries.set(cacheKey, entry);
    return entry.value;
  }

  keep(cacheKey: string, entry: LocalEntry): void {
    this.forget(cacheKey);
    const bytes = ENTRY_BYTES + CHARACTER_BYTES * (cacheKey.length + entry.characters);
    if (bytes > this.#maxBytes * LARGEST_PART) return;
    this.#entries.set(cacheKey, { ...entry, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.forget(oldest);
    }
  }

  forget(cacheKey: string): void {
    const entry = this.#entries.get(cacheKey);
    if (entry === undefined) return;
    this.#entries.delete(cacheKey);
    this.#bytes -= entry.bytes;
  }

  forgetResource(resource: string): void {
    for (const [cacheKey, entry] of this.#entries)
      if (entry.resource === resource) this.forget(cacheKey);
  }

  forgetAll(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
