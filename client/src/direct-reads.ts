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
import type { EntryReader, EntryReads, EntryText } from './ports.ts';
import type { RedisConnection } from './redis-connection.ts';

/** Bound on the keys of one command: it holds the cache up for so long. */
const MAX_KEYS = 256;

export class DirectReads implements EntryReads {
  readonly #connection: RedisConnection;
  #waiting: EntryReader[] = [];
  #isScheduled = false;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  get maxKeys(): number {
    return this.#connection.isCluster ? 1 : MAX_KEYS;
  }

  /** Reads the entries at the end of this tick. */
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
      for (const reader of waiting) reader.entriesRead(UNREAD, 0);
      return;
    }
    if (this.#connection.isCluster) for (const group of bySlot(waiting)) this.#readSlot(group);
    else for (const group of ofMaxKeys(waiting)) this.#readAll(group);
  };

  #readAll({ readers, cacheKeys }: Group): void {
    const client = this.#connection.client as Redis;
    const first = cacheKeys[0];
    if (first === undefined) return;
    const timed = timedOf(readers);
    if (cacheKeys.length === 1 && timed.length === 0) {
      client.getex(first).then(
        (text) => this.#answer(readers, [text]),
        (error: unknown) => this.#unread(readers, error),
      );
      return;
    }
    const commands = client.multi().getex(first);
    if (cacheKeys.length > 1) commands.mget(cacheKeys.slice(1));
    for (const {
      cacheKeys: [cacheKey = ''],
    } of timed)
      commands.pttl(cacheKey);
    commands.exec().then(
      (replies) => this.#deal({ readers, cacheKeys }, timed, replies),
      (error: unknown) => this.#unread(readers, error),
    );
  }

  /** The replies to GETEX, to MGET if there are others, and to each PTTL. */
  #deal(
    { readers, cacheKeys }: Group,
    timed: readonly EntryReader[],
    replies: Replies | null,
  ): void {
    const [one, ...rest] = replies ?? [];
    const many = cacheKeys.length > 1 ? rest.shift() : NO_OTHERS;
    const texts: unknown = many?.[1];
    if (one === undefined || many?.[0] !== null || !Array.isArray(texts)) {
      this.#unread(readers, many?.[0] ?? new Error('The transaction was not carried out.'));
      return;
    }
    // Something else than a string at the first key is that key's own fault.
    const first = one[0] === null ? (one[1] as string | null) : undefined;
    this.#answer(readers, [first, ...(texts as (string | null)[])], livesOf(timed, rest));
  }

  #readSlot({ readers, cacheKeys }: Group): void {
    const client = this.#connection.client as Cluster;
    const [first = '', ...others] = cacheKeys;
    const timed = timedOf(readers);
    if (timed.length > 0) {
      const commands = client.multi().mget(cacheKeys);
      for (const {
        cacheKeys: [cacheKey = ''],
      } of timed)
        commands.pttl(cacheKey);
      commands.exec().then(
        (replies) => this.#dealSlot(readers, timed, replies),
        (error: unknown) => this.#unread(readers, error),
      );
      return;
    }
    const texts =
      others.length === 0 ? client.get(first).then((text) => [text]) : client.mget(cacheKeys);
    texts.then(
      (found) => this.#answer(readers, found),
      (error: unknown) => this.#unread(readers, error),
    );
  }

  #dealSlot(
    readers: readonly EntryReader[],
    timed: readonly EntryReader[],
    replies: Replies | null,
  ): void {
    const [many, ...rest] = replies ?? [];
    const texts: unknown = many?.[1];
    if (Array.isArray(texts))
      this.#answer(readers, texts as (string | null)[], livesOf(timed, rest));
    else this.#unread(readers, many?.[0] ?? new Error('The transaction was not carried out.'));
  }

  #answer(
    readers: readonly EntryReader[],
    texts: readonly EntryText[],
    lives?: ReadonlyMap<EntryReader, number>,
  ): void {
    this.#connection.answered();
    let from = 0;
    for (const reader of readers) {
      const { length } = reader.cacheKeys;
      reader.entriesRead(texts, from, lives?.get(reader));
      from += length;
    }
  }

  #unread(readers: readonly EntryReader[], error: unknown): void {
    this.#connection.failed(error);
    for (const reader of readers) reader.entriesRead(UNREAD, 0);
  }
}

/** Readers whose entries are read by one command. */
interface Group {
  readers: EntryReader[];
  /** Of all of them, in order. */
  cacheKeys: string[];
}

const UNREAD: readonly EntryText[] = [];

type Replies = [Error | null, unknown][];

const NO_OTHERS: Replies[number] = [null, []];

const timedOf = (readers: readonly EntryReader[]): EntryReader[] =>
  readers.filter(({ needsLife }) => needsLife === true);

function livesOf(timed: readonly EntryReader[], replies: Replies): Map<EntryReader, number> {
  const lives = new Map<EntryReader, number>();
  for (const [index, reader] of timed.entries()) {
    const left: unknown = replies[index]?.[1];
    if (typeof left === 'number') lives.set(reader, left);
  }
  return lives;
}

/** In order, each group with at most `MAX_KEYS`. */
function ofMaxKeys(readers: readonly EntryReader[]): Group[] {
  let last: Group = { readers: [], cacheKeys: [] };
  const groups = [last];
  for (const reader of readers) {
    if (last.cacheKeys.length + reader.cacheKeys.length > MAX_KEYS) {
      last = { readers: [], cacheKeys: [] };
      groups.push(last);
    }
    last.readers.push(reader);
    last.cacheKeys.push(...reader.cacheKeys);
  }
  return groups;
}

/** Of a Cluster each reader waits for one entry. */
function bySlot(readers: readonly EntryReader[]): Iterable<Group> {
  const groups = new Map<number, Group>();
  for (const reader of readers) {
    const [cacheKey = ''] = reader.cacheKeys;
    const slot = calculateSlot(cacheKey);
    const group = groups.get(slot) ?? { readers: [], cacheKeys: [] };
    groups.set(slot, group);
    group.readers.push(reader);
    group.cacheKeys.push(cacheKey);
  }
  return groups.values();
}
