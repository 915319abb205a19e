/**
 * The entries of one call for many rows. This file answers the values that may be answered, without an object for each
 * read. It passes everything else to `onOther`, which treats it like a single read.
 */
import type { EntryKey } from './cache-key.ts';
import type { ReadableResource, ResourceCatalog } from './catalog.ts';
import { parseRow, readEntry } from './entry-reader.ts';
import { isReadObserved, tell } from './events.ts';
import type { EntryReads, EntryText } from './ports.ts';
import type { Session } from './session.ts';
import type { ReadResult } from './types.ts';

/** One row that is read. */
export interface PlacedRead {
  index: number;
  entryKey: EntryKey;
}

export interface ManyEntriesOptions {
  catalog: Pick<ResourceCatalog, 'rowName'>;
  readable: ReadableResource;
  reads: EntryReads;
  session: Session;
  minVersion: number;
  onValue: (result: ReadResult | null, index: number) => void;
  onOther: (read: PlacedRead, text: EntryText) => void;
}

export class ManyEntries {
  readonly #options: ManyEntriesOptions;
  #placed: PlacedRead[] = [];

  constructor(options: ManyEntriesOptions) {
    this.#options = options;
  }

  add(read: PlacedRead): void {
    if (this.#placed.push(read) === this.#options.reads.maxKeys) this.read();
  }

  /** Reads what was added. */
  read(): void {
    const placed = this.#placed;
    if (placed.length === 0) return;
    this.#placed = [];
    this.#options.reads.add({
      cacheKeys: placed.map(({ entryKey }) => entryKey.cacheKey),
      entriesRead: (texts, from) => {
        for (const [at, read] of placed.entries()) this.#found(read, texts[from + at]);
      },
    });
  }

  #found(read: PlacedRead, text: EntryText): void {
    const { readable, onValue, onOther } = this.#options;
    const result = this.#resultIn(read, text);
    if (result === undefined) {
      onOther(read, text);
      return;
    }
    if (isReadObserved()) tell('lockstep:read', { resource: readable.name, from: 'cache' });
    onValue(result, read.index);
  }

  /** Undefined where the text is not a value that may be answered. */
  #resultIn({ entryKey }: PlacedRead, text: EntryText): ReadResult | null | undefined {
    const { readable, minVersion } = this.#options;
    const entry = text === undefined ? 'unread' : readEntry(text, readable.owner);
    if (typeof entry === 'string' || entry.version < minVersion || entry.tag !== undefined)
      return undefined;
    const { row, version } = entry;
    const value = row === null ? null : parseRow(row.text);
    if (value === undefined || !this.#isAnswered(entryKey, version)) return undefined;
    return value === null ? null : { value, version, source: 'cache' };
  }

  /** False for a version that is older than what the session has seen. */
  #isAnswered({ parts }: EntryKey, version: number): boolean {
    const { catalog, readable, session } = this.#options;
    return !readable.isTracked || session.sees(catalog.rowName(readable.name, parts), version);
  }
}
