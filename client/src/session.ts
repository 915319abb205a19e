/**
 * What one user has seen: reads by it never answer anything older (docs/read-protocol.md, RP8).
 *
 * It remembers the version of each key that it has seen last, up to a bound; the key that was seen longest ago is
 * forgotten first. Where reads may go to replicas, versions are not enough: a token of the coordinator says up to which
 * log positions something was seen, whichever key it was.
 *
 * Invariant: positions only grow, but for one that is not known (`*`), which a known later one replaces.
 */
import {
  covers,
  laterPosition,
  type LogPosition,
  MAX_SEEN_KEYS,
  parseSeenToken,
  type SeenKey,
  seenKeyText,
  seenTokenText,
  UNKNOWN_POSITION,
} from '@lockstep/shared/for-clients';
import type { CachedValue } from './entry-reader.ts';

export class Session {
  readonly #maxKeys: number;
  /** The versions of keys, the last seen last. */
  readonly #versions = new Map<string, number>();
  #entries: LogPosition | null = null;
  #databases: LogPosition | null = null;
  #keys: readonly SeenKey[] = [];
  /** How often a position came that is not known. */
  #unknowns = 0;

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  /** The least version that may be answered for the key. */
  leastVersion(key: string): number {
    return this.#versions.get(key) ?? 0;
  }

  sawVersion(key: string, version: number): void {
    const before = this.#versions.get(key);
    if (before !== undefined) {
      if (before >= version && this.#versions.size < this.#maxKeys) return;
      this.#versions.delete(key);
    }
    this.#versions.set(key, Math.max(before ?? 0, version));
    if (this.#versions.size <= this.#maxKeys) return;
    const oldest = this.#versions.keys().next();
    if (oldest.done !== true) this.#versions.delete(oldest.value);
  }

  /** Notes that a version is answered. @returns false, and notes nothing, for one that must not be */
  sees(key: string, version: number): boolean {
    const before = this.#versions.get(key);
    if (before === version && this.#versions.size < this.#maxKeys) return true;
    if (before !== undefined && before > version) return false;
    this.sawVersion(key, version);
    return true;
  }

  /** The database itself is older: it was restored, or has forgotten the key. */
  forgetVersion(key: string): void {
    this.#versions.delete(key);
  }

  /** What a coordinator is to be told of what was seen; null where that is nothing but versions. */
  get token(): string | null {
    const { databases, entries } = { databases: this.#databases, entries: this.#entries };
    if (databases === null && entries === null) return null;
    return seenTokenText({ entries, databases }, this.#keys.map(seenKeyText));
  }

  /** For `sawToken`: what was seen when the request was sent. */
  get mark(): number {
    return this.#unknowns;
  }

  /**
   * An answer's token. It covers what was seen when its request was sent, so a known position in it replaces an unknown
   * one of before that.
   */
  sawToken(text: string, mark: number): void {
    const token = parseSeenToken(text);
    if (token === null || (token.entries === null && token.databases === null)) return;
    const isCovering = mark === this.#unknowns;
    const entries = later(this.#entries, token.entries, isCovering);
    // Marks of keys that were written hold only beside the position of that write.
    const own = entries === this.#entries ? this.#keys : this.#keys.map(asRead);
    const given = entries === token.entries ? token.keys : token.keys.map(asRead);
    const hashes = new Set(given.map(({ hash }) => hash));
    const others = own.filter(({ hash }) => !hashes.has(hash));
    this.#entries = entries;
    this.#sawDatabases(later(this.#databases, token.databases, isCovering));
    this.#keys = [...given, ...others].slice(0, MAX_SEEN_KEYS);
  }

  /** Whether a value in the cache has everything that was seen, where its resource's entries carry positions. */
  hasPositionsOf({ reached }: CachedValue): boolean {
    if (this.#entries === null) return true;
    return reached !== undefined && covers(reached, this.#entries);
  }

  /** A value of the cache was answered, and replicas are read too: they must have reached what it shows. */
  sawEntry({ upTo }: CachedValue): void {
    this.#sawDatabases(laterPosition(this.#databases, upTo ?? UNKNOWN_POSITION));
  }

  #sawDatabases(position: LogPosition | null): void {
    if (position === UNKNOWN_POSITION && this.#databases !== UNKNOWN_POSITION) this.#unknowns += 1;
    this.#databases = position;
  }
}

const asRead = (seen: SeenKey): SeenKey => ({ ...seen, isWritten: false });

function later(
  seen: LogPosition | null,
  now: LogPosition | null,
  isCovering: boolean,
): LogPosition | null {
  if (isCovering && seen === UNKNOWN_POSITION && now !== null) return now;
  return laterPosition(seen, now);
}
