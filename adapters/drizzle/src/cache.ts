/**
 * Drizzle's cache, kept in computed resources.
 *
 * Drizzle asks its cache (`get`), runs the query where that answers nothing, and gives it what the database answered
 * (`put`). Between the two a write can make the answer old. So `get` starts a load of the client's, which leaves a lease
 * in the cache, and `put` is the answer of that load: it is filled only if the lease still stands.
 *
 * States of a load: begun (its query runs) -> answered (`put`) | given up (its time is over, or it cannot be cached).
 *   - `put` answers the load of its own query and no other: each query has a tag of its own, which is used once
 *   - nothing is read or filled in a transaction: its state is older than the lease, or not committed
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Client, type Key, LockstepError } from '@lockstep/client';
import { type Dialect, keyPartOf } from '@lockstep/client/sql';
import { Cache } from 'drizzle-orm/cache/core';
import { answerOfText, textOfAnswer } from './rows.ts';
import { dialectOf } from './statements.ts';

const TAG = /^lockstep (\d+) (.*)$/s;
/** Tags that are remembered as used; older ones count as used. */
const MOST_USED = 10_000;
const LOAD_TIMEOUT_MS = 5_000;

let lastTag = 0;

/**
 * Says that a query is the value of a computed resource: `db.select()…$withCache(cacheAs('owner-total', owner))`.
 * It is for one run of one query. Each resource has one query: what it reads must follow from the key.
 * @param key the resource's parameters, in its order
 */
export function cacheAs(
  resource: string,
  key: Key,
): { tag: string; autoInvalidate: false; config: object } {
  lastTag += 1;
  const parts = (typeof key === 'object' ? key : [key]).map(keyPartOf);
  const tag = `lockstep ${lastTag} ${JSON.stringify([resource, ...parts])}`;
  return { tag, autoInvalidate: false, config: {} };
}

export interface LockstepCacheOptions {
  /**
   * How long a query may take, in ms, to be cached. Drizzle does not tell that a query has failed: so long do others
   * wait who ask for the same at the same time. Default 5,000.
   */
  loadTimeoutMs?: number;
}

interface Load {
  answer(text: string): void;
  giveUp(why: unknown): void;
}

/** A database of Drizzle's whose transactions are to be known. */
interface Transacts {
  transaction: unknown;
}

/**
 * A cache for `drizzle(…, { cache })`. Only queries with `cacheAs` are cached. Give the database to `attach`.
 */
export class LockstepCache extends Cache {
  readonly #lockstep: Pick<Client, 'computed'>;
  readonly #loadTimeoutMs: number;
  readonly #inTransaction = new AsyncLocalStorage<true>();
  /** By the number of the tag. */
  readonly #loads = new Map<number, Load>();
  readonly #used = new Set<number>();
  /** The highest number that is not remembered any more. */
  #forgotten = 0;
  #dialect: Dialect | undefined;

  constructor(lockstep: Pick<Client, 'computed'>, options: LockstepCacheOptions = {}) {
    super();
    this.#lockstep = lockstep;
    this.#loadTimeoutMs = options.loadTimeoutMs ?? LOAD_TIMEOUT_MS;
  }

  /**
   * Makes the cache know when a transaction of the database runs: then it answers and keeps nothing.
   * @returns the same database
   */
  attach<D extends Transacts>(db: D): D {
    this.#dialect = dialectOf(db);
    const known: Transacts = db;
    const begin = known.transaction as (...args: unknown[]) => unknown;
    known.transaction = (...args: unknown[]) =>
      this.#inTransaction.run(true, () => begin.apply(db, args));
    return db;
  }

  override strategy(): 'explicit' {
    return 'explicit';
  }

  /** @throws TypeError where no database was attached, or a tag is used again */
  override async get(tag: string, _tables: string[], isTag: boolean): Promise<never[] | undefined> {
    const asked = isTag ? readTag(tag) : null;
    if (asked === null) return undefined;
    if (this.#dialect === undefined)
      throw new TypeError('Give the database to attach() of its LockstepCache first.');
    this.#use(asked.number);
    if (this.#inTransaction.getStore() === true) return undefined;
    // Drizzle accepts the driver’s answer as it is, although its cache declares another type.
    return (await this.#found(asked)) as never[] | undefined;
  }

  override put(tag: string, response: unknown, _tables: string[], isTag: boolean): Promise<void> {
    const asked = isTag ? readTag(tag) : null;
    const load = asked === null ? undefined : this.#loads.get(asked.number);
    if (load === undefined || this.#dialect === undefined) return Promise.resolve();
    try {
      load.answer(textOfAnswer(response, this.#dialect));
    } catch (error) {
      load.giveUp(error);
    }
    return Promise.resolve();
  }

  /** It is told of tables, while their rows are being written: the writer's own transaction invalidates instead. */
  override onMutate(): Promise<void> {
    return Promise.resolve();
  }

  /** What is cached; undefined where the caller is to run the query, and to `put` what it answers. */
  #found({ number, resource, key }: Asked): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const load = (signal: AbortSignal): Promise<string> => {
        const answered = this.#begin(number, signal);
        resolve(undefined);
        return answered;
      };
      this.#lockstep
        .computed(resource, key, (_key, { signal }) => load(signal), {
          loadTimeoutMs: this.#loadTimeoutMs,
        })
        .then(
          ({ value }) => resolve(answerOfText(String(value))),
          // Where the query runs already, nobody waits for this any more.
          (error: unknown) => {
            if (error instanceof LockstepError && !error.retryable) reject(error);
            else resolve(undefined);
          },
        );
    });
  }

  #begin(number: number, signal: AbortSignal): Promise<string> {
    return new Promise<string>((resolve, reject) => {
      const end = (): void => {
        this.#loads.delete(number);
        signal.removeEventListener('abort', late);
      };
      const giveUp = (why: unknown): void => {
        end();
        reject(why instanceof Error ? why : new Error('The query was not answered in time.'));
      };
      const late = (): void => giveUp(signal.reason);
      const answer = (text: string): void => {
        end();
        resolve(text);
      };
      signal.addEventListener('abort', late);
      this.#loads.set(number, { answer, giveUp });
    });
  }

  #use(number: number): void {
    if (number <= this.#forgotten || this.#used.has(number))
      throw new TypeError('cacheAs() is for one run of one query: call it again for the next run.');
    this.#used.add(number);
    if (this.#used.size <= MOST_USED) return;
    const [oldest = 0] = this.#used;
    this.#used.delete(oldest);
    this.#forgotten = Math.max(this.#forgotten, oldest);
  }
}

interface Asked {
  number: number;
  resource: string;
  key: string[];
}

function readTag(tag: string): Asked | null {
  const [, number, text] = TAG.exec(tag) ?? [];
  if (number === undefined || text === undefined) return null;
  const [resource = '', ...key] = JSON.parse(text) as string[];
  return { number: Number(number), resource, key };
}
