/**
 * Reads of the cache in flight whose values may be kept in memory.
 *
 * A value that was read before its invalidation and arrives after it must not be kept: the message has been handled, and
 * no other will come. So an invalidation ends the fills that it may concern.
 */

/** What reads of one cache key share while they are in flight. */
export interface LocalFill {
  readonly resource: string;
  readonly cacheKey: string;
  /** When the first of the reads was asked for. */
  readonly beganAtMs: number;
  /** Nothing was invalidated since. */
  isValid: boolean;
  readers: number;
}

export class LocalFills {
  readonly #fills = new Map<string, LocalFill>();

  /** A read begins. */
  begin(resource: string, cacheKey: string, nowMs: number): LocalFill {
    let fill = this.#fills.get(cacheKey);
    if (fill === undefined) {
      fill = { resource, cacheKey, beganAtMs: nowMs, isValid: true, readers: 0 };
      this.#fills.set(cacheKey, fill);
    }
    fill.readers += 1;
    return fill;
  }

  /** The read was answered, in whatever way. */
  end(fill: LocalFill): void {
    fill.readers -= 1;
    if (fill.readers === 0 && this.#fills.get(fill.cacheKey) === fill)
      this.#fills.delete(fill.cacheKey);
  }

  invalidate(cacheKey: string): void {
    const fill = this.#fills.get(cacheKey);
    if (fill === undefined) return;
    fill.isValid = false;
    this.#fills.delete(cacheKey);
  }

  invalidateResource(resource: string): void {
    for (const fill of this.#fills.values())
      if (fill.resource === resource) this.invalidate(fill.cacheKey);
  }

  invalidateAll(): void {
    for (const cacheKey of this.#fills.keys()) this.invalidate(cacheKey);
  }
}
