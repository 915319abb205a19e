import type { EntryStore, Invalidation, PublishedValue } from './port.ts';

/** Sends each step to the store of its cache key's format. */
export class FormatEntryStore implements EntryStore {
  readonly #entries: EntryStore;
  readonly #raw: EntryStore;
  readonly #isRaw: (cacheKey: string) => boolean;

  /** @param isRaw whether a cache key is an entry of a resource of `format: raw`; asked at every step */
  constructor(entries: EntryStore, raw: EntryStore, isRaw: (cacheKey: string) => boolean) {
    this.#entries = entries;
    this.#raw = raw;
    this.#isRaw = isRaw;
  }

  get available(): boolean {
    return this.#entries.available;
  }

  get availableSinceMs(): number {
    return this.#entries.availableSinceMs ?? -Infinity;
  }

  read(cacheKey: string): ReturnType<EntryStore['read']> {
    return this.#of(cacheKey).read(cacheKey);
  }

  readMany(cacheKeys: readonly string[]): ReturnType<EntryStore['readMany']> {
    if (!cacheKeys.some(this.#isRaw)) return this.#entries.readMany(cacheKeys);
    return Promise.all(cacheKeys.map((cacheKey) => this.read(cacheKey)));
  }

  leaseOrRead(cacheKey: string, leaseId: string): ReturnType<EntryStore['leaseOrRead']> {
    return this.#of(cacheKey).leaseOrRead(cacheKey, leaseId);
  }

  fill(cacheKey: string, leaseId: string, value: PublishedValue): ReturnType<EntryStore['fill']> {
    return this.#of(cacheKey).fill(cacheKey, leaseId, value);
  }

  placeIntent(
    ...step: Parameters<EntryStore['placeIntent']>
  ): ReturnType<EntryStore['placeIntent']> {
    return this.#of(step[0]).placeIntent(...step);
  }

  publish(...step: Parameters<EntryStore['publish']>): ReturnType<EntryStore['publish']> {
    return this.#of(step[0]).publish(...step);
  }

  withdrawIntent(...step: Parameters<EntryStore['withdrawIntent']>): Promise<void> {
    return this.#of(step[0]).withdrawIntent(...step);
  }

  intentAgeMs(...step: Parameters<EntryStore['intentAgeMs']>): Promise<number | null> {
    return this.#of(step[0]).intentAgeMs(...step);
  }

  invalidate(...step: Parameters<EntryStore['invalidate']>): ReturnType<EntryStore['invalidate']> {
    return this.#of(step[0]).invalidate(...step);
  }

  async invalidateMany(items: readonly Invalidation[]): ReturnType<EntryStore['invalidateMany']> {
    const areRaw = items.map(({ cacheKey }) => this.#isRaw(cacheKey));
    if (!areRaw.includes(true)) return this.#entries.invalidateMany(items);
    const [headed, raw] = await Promise.all([
      this.#entries.invalidateMany(items.filter((_, index) => areRaw[index] !== true)),
      this.#raw.invalidateMany(items.filter((_, index) => areRaw[index] === true)),
    ]);
    const [nextHeaded, nextRaw] = [headed.values(), raw.values()];
    return areRaw.map((isRaw) => {
      const { value } = (isRaw ? nextRaw : nextHeaded).next();
      return value ?? new Error('The cache answered too few results.');
    });
  }

  invalidateIfUnchanged(
    ...step: Parameters<EntryStore['invalidateIfUnchanged']>
  ): Promise<boolean> {
    return this.#of(step[0]).invalidateIfUnchanged(...step);
  }

  ttlMs(cacheKey: string): ReturnType<EntryStore['ttlMs']> {
    return this.#entries.ttlMs(cacheKey);
  }

  #of(cacheKey: string): EntryStore {
    return this.#isRaw(cacheKey) ? this.#raw : this.#entries;
  }
}
