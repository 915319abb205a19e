/**
 * Entries of one tick, read from the cache in one round trip.
 *
 * A server that was demoted to a replica goes on answering GET over a living connection, with what it had. So every read
 * is, or is in one transaction with, a command that a replica refuses: `GETEX` without an option, which only reads. Of a
 * Cluster every replica sends the reader on by itself.
 *
 * A read whose command is not answered is not sent again: the coordinator answers it.
 */
import calculateSlot from 'cluster-key-slot';
import type { Cluster, Redis } from 'ioredis';
import type { RedisConnection } from './redis-connection.ts';

/** Bound on the keys of one command: it holds the cache up for so long. */
const MAX_KEYS = 256;

/** Who waits for an entry's text. */
export interface EntryReader {
  readonly cacheKey: string;
  /** The entry's text, null where there is none; undefined where it was not read. */
  entryRead(text: string | null | undefined): void;
}

export class DirectReads {
  readonly #connection: RedisConnection;
  #waiting: EntryReader[] = [];
  #isScheduled = false;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  /** Reads the entry at the end of this tick. */
  add(reader: EntryReader): void {
    this.#waiting.push(reader);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (!this.#connection.isUp) {
      for (const reader of waiting) reader.entryRead(undefined);
      return;
    }
    if (this.#connection.isCluster) for (const group of bySlot(waiting)) this.#readSlot(group);
    else if (waiting.length <= MAX_KEYS) this.#readAll(waiting);
    else
      for (let at = 0; at < waiting.length; at += MAX_KEYS)
        this.#readAll(waiting.slice(at, at + MAX_KEYS));
  };

  #readAll(readers: readonly EntryReader[]): void {
    const client = this.#connection.client as Redis;
    const [first, ...others] = readers;
    if (first === undefined) return;
    if (others.length === 0) {
      client.getex(first.cacheKey).then(
        (text) => this.#answer(readers, [text]),
        (error: unknown) => this.#unread(readers, error),
      );
      return;
    }
    client
      .multi()
      .getex(first.cacheKey)
      .mget(others.map(({ cacheKey }) => cacheKey))
      .exec()
      .then(
        (replies) => this.#deal(readers, replies),
        (error: unknown) => this.#unread(readers, error),
      );
  }

  /** The replies to GETEX and MGET. */
  #deal(readers: readonly EntryReader[], replies: [Error | null, unknown][] | null): void {
    const [one, many] = replies ?? [];
    const texts: unknown = many?.[1];
    if (one === undefined || many?.[0] !== null || !Array.isArray(texts)) {
      this.#unread(readers, many?.[0] ?? new Error('The transaction was not carried out.'));
      return;
    }
    // Something else than a string at the first key is that key's own fault.
    const first = one[0] === null ? (one[1] as string | null) : undefined;
    this.#answer(readers, [first, ...(texts as (string | null)[])]);
  }

  #readSlot(readers: readonly EntryReader[]): void {
    const client = this.#connection.client as Cluster;
    const [first, ...others] = readers;
    if (first === undefined) return;
    const texts =
      others.length === 0
        ? client.get(first.cacheKey).then((text) => [text])
        : client.mget(readers.map(({ cacheKey }) => cacheKey));
    texts.then(
      (found) => this.#answer(readers, found),
      (error: unknown) => this.#unread(readers, error),
    );
  }

  #answer(readers: readonly EntryReader[], texts: readonly (string | null | undefined)[]): void {
    this.#connection.answered();
    for (const [index, reader] of readers.entries()) reader.entryRead(texts[index]);
  }

  #unread(readers: readonly EntryReader[], error: unknown): void {
    this.#connection.failed(error);
    for (const reader of readers) reader.entryRead(undefined);
  }
}

function bySlot(readers: readonly EntryReader[]): Iterable<EntryReader[]> {
  const groups = new Map<number, EntryReader[]>();
  for (const reader of readers) {
    const slot = calculateSlot(reader.cacheKey);
    const group = groups.get(slot);
    if (group === undefined) groups.set(slot, [reader]);
    else group.push(reader);
  }
  return groups.values();
}
