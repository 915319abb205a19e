/**
 * Sees everything in a simulated world, and reports violations. It knows more than any client: the database's commits,
 * and every entry at every moment.
 */
import type { CorruptEntry, Entry, Row } from '@lockstep/shared';
import type { Change } from '../../../server/src/domain/index.ts';
import type { Commit } from '../servers/memory-database.ts';
import type { World } from '../world/world.ts';
import { keyOfEntry } from '../world/resources.ts';
import type { RuleName } from './rules.ts';

export interface Violation {
  rule: RuleName;
  key: string;
  atMs: number;
  message: string;
}

/** What is known about one key's versions. */
interface KeyBook {
  /** Rows by version; 0 is the row before the first write. */
  rows: Map<number, Row | null>;
  version: number;
  /** The highest version in any answer to a client. */
  told: number;
  /** The cache may no longer answer anything below this version. */
  cacheFloor: number;
  /** How it rose. */
  cacheFloors: { atMs: number; version: number }[];
  /** No value that is computed from the row may be of a lower version any more. */
  computedFloor: number;
  /** The transactions that wrote it, by its version. */
  transactions: Map<number, Transacted>;
}

/** The versions that one transaction has left, by key. */
interface Transacted {
  versions: Map<string, number>;
  /** Whether any answer to a client contained one of them. */
  isTold: boolean;
}

/** What held when an operation began. */
export interface Floors {
  told: number;
  cacheFloor: number;
  committed: number;
}

/** How many violations of one run are reported at most. The first ones are the most useful. */
const MAX_TOLD = 20;

export class Referee {
  readonly violations: Violation[] = [];
  readonly #world: World;
  readonly #books = new Map<string, KeyBook>();
  /** The versions under which each change was applied, by the object that the client passed. */
  readonly #commits = new Map<Change, number[]>();
  /** Changes that a client sends as text, by their idempotency keys. */
  readonly #sent = new Map<string, Change>();
  /** Where each change was applied last. */
  readonly #keys = new Map<Change, string>();
  readonly #byIdempotencyKey = new Map<string, number>();
  /** Transactions, by each of their changes. */
  readonly #transactions = new Map<Change, Transacted>();

  constructor(world: World) {
    this.#world = world;
    world.database.onCommit = (commit) => this.#committed(commit);
    world.cache.onChange = (cacheKey) => this.#cacheChanged(cacheKey);
    for (const node of world.lockNodes) {
      node.onWrongRemoval = ({ lockKey, by, owner }) =>
        this.report('L1', lockKey, `${by} removed a lock of ${owner}'s`);
    }
  }

  report(rule: RuleName, key: string, message: string): void {
    this.#world.trace.note(`VIOLATION ${rule}`, () => `${key}: ${message}`);
    if (this.violations.length >= MAX_TOLD) return;
    this.violations.push({ rule, key, atMs: this.#world.scheduler.nowMs, message });
  }

  /** What an operation on this key that begins now can rely on. */
  floors(name: string): Floors {
    const { told, cacheFloor, version } = this.#book(name);
    return { told, cacheFloor, committed: version };
  }

  /** An answer to a client contained this version. */
  told(name: string, version: number): void {
    const book = this.#book(name);
    book.told = Math.max(book.told, version);
    for (const [written, transaction] of book.transactions) {
      if (written > version || transaction.isTold) continue;
      // A read of another of its keys must show the new state from now on (invariant T3).
      transaction.isTold = true;
      for (const [other, itsVersion] of transaction.versions) this.told(other, itsVersion);
    }
  }

  /** The write with this idempotency key makes this change. */
  sends(idempotencyKey: string, change: Change): void {
    this.#sent.set(idempotencyKey, change);
  }

  /** The key under which a change was applied; undefined if it never was. */
  keyOf(change: Change): string | undefined {
    return this.#keys.get(change);
  }

  /** An acknowledgement said that nothing computed from this version's predecessors is answered any more. */
  promisedOfComputed(name: string, version: number): void {
    const book = this.#book(name);
    book.computedFloor = Math.max(book.computedFloor, version);
  }

  /** The least version of the row from which a value may be computed that is answered to a call which begins now. */
  computedFloor(name: string): number {
    return this.#book(name).computedFloor;
  }

  /** The newest version at which there was no row. */
  lastAbsent(name: string): number {
    return Math.max(...[...this.#book(name).rows].map(([version, row]) => (row ? -1 : version)));
  }

  /** These changes belong to one transaction: all of them must be applied, or none. */
  transacts(changes: readonly Change[]): void {
    const transaction: Transacted = { versions: new Map(), isTold: false };
    for (const change of changes) this.#transactions.set(change, transaction);
  }

  /** An answer promised that the cache serves nothing below this version. */
  promisedOfCache(name: string, version: number): void {
    const book = this.#book(name);
    if (version <= book.cacheFloor) return;
    book.cacheFloor = version;
    book.cacheFloors.push({ atMs: this.#world.scheduler.nowMs, version });
  }

  /** Below which version the cache answered nothing any more at a moment. */
  cacheFloorAt(name: string, atMs: number): number {
    const before = this.#book(name).cacheFloors.filter((floor) => floor.atMs <= atMs);
    return before.at(-1)?.version ?? 0;
  }

  /** The row of a version; undefined if there is no such version. */
  rowOf(name: string, version: number): Row | null | undefined {
    return this.#book(name).rows.get(version);
  }

  /** The versions under which a change was applied. */
  versionsOf(change: Change): readonly number[] {
    return this.#commits.get(change) ?? [];
  }

  /** How often a write with this idempotency key was applied. */
  timesApplied(idempotencyKey: string): number {
    return this.#byIdempotencyKey.get(idempotencyKey) ?? 0;
  }

  #committed({ key, version, fence, row, change: carried, idempotencyKey }: Commit): void {
    const name = key.cacheKey;
    const change = this.#sent.get(idempotencyKey ?? '') ?? carried;
    const book = this.#book(name);
    this.#world.trace.note('database', () => `COMMITS ${name} v${version} ${JSON.stringify(row)}`);
    book.version = version;
    book.rows.set(version, row);
    this.#commits.set(change, [...this.versionsOf(change), version]);
    this.#keys.set(change, name);
    const transaction = this.#transactions.get(change);
    transaction?.versions.set(name, version);
    if (transaction !== undefined) book.transactions.set(version, transaction);
    if (idempotencyKey !== null) {
      const times = this.timesApplied(idempotencyKey) + 1;
      this.#byIdempotencyKey.set(idempotencyKey, times);
      if (times > 1) this.report('W6', name, `${idempotencyKey} was applied ${times} times`);
    }
    if (key.resource.policy !== 'strict') return;
    const entry = this.#world.cache.read(name)?.entry;
    // With `verifyIntent`, an intent that is lost after the check does no harm, because fills wait for the commit.
    if (entry?.state !== 'intent' && !this.#world.verifyIntent) {
      const there = entry === undefined ? 'nothing' : `a ${entry.state}`;
      this.report(
        'W1',
        name,
        `v${version} with fence ${fence} committed, and the entry is ${there}`,
      );
    }
    this.#checkEntry(name, entry);
  }

  #cacheChanged(cacheKey: string): void {
    const key = keyOfEntry(this.#world.resources, cacheKey);
    if (key?.resource.policy !== 'strict') return;
    this.#checkEntry(cacheKey, this.#world.cache.read(cacheKey)?.entry);
  }

  /** Checks that the entry of a strict resource has no older value than the row. */
  #checkEntry(name: string, entry: Entry | CorruptEntry | undefined): void {
    if (entry?.state !== 'value') return;
    const { version } = this.#book(name);
    if (entry.version === version) return;
    this.report('E9', name, `the entry is v${entry.version}, and the row is v${version}`);
  }

  #book(name: string): KeyBook {
    let book = this.#books.get(name);
    if (book === undefined) {
      book = {
        rows: new Map([[0, null]]),
        version: 0,
        told: 0,
        cacheFloor: 0,
        cacheFloors: [],
        computedFloor: 0,
        transactions: new Map(),
      };
      this.#books.set(name, book);
    }
    return book;
  }
}

/** Whether two rows have the same values, in any order of columns. */
export function isSameRow(one: Row | null | undefined, other: Row | null | undefined): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
