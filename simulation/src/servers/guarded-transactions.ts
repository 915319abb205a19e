/**
 * Transactions of callers that hold a guard, on the database in memory: `lockstep_guard` for each key, then a commit
 * with what they have changed.
 */
import type { Row } from '@lockstep/shared';
import type { Change, Key } from '../../../server/src/domain/index.ts';
import { isFencedOut } from '../../../server/src/domain/index.ts';
import type { KeyLocks, Transaction } from './key-locks.ts';
import type { MemoryGuards } from './memory-guards.ts';
import { type KeySteps, nameOf } from './memory-transactions.ts';

/** What a caller's transaction does to one key. */
export interface GuardedChange {
  key: Key;
  /** Of the guard. */
  fence: number;
  change: Change;
}

type Steps = Pick<KeySteps, 'state' | 'tried' | 'commit'> & {
  /** Replaces the row and nothing else, as a program does that does not know Lockstep. */
  replaceRow(key: Key, row: Row | null): void;
};

export class GuardedTransactions {
  readonly #locks: KeyLocks;
  readonly #guards: MemoryGuards;
  readonly #steps: Steps;

  constructor(locks: KeyLocks, guards: MemoryGuards, steps: Steps) {
    this.#locks = locks;
    this.#guards = guards;
    this.#steps = steps;
  }

  /**
   * `lockstep_guard`: waits for the key's row, which stays locked until the transaction ends.
   * @returns `refused`: it raises LS409, so the transaction can only be rolled back
   */
  guard(
    { key, fence }: Pick<GuardedChange, 'key' | 'fence'>,
    transaction: Transaction,
  ): 'admitted' | 'refused' | Promise<'admitted' | 'refused'> {
    const name = nameOf(key);
    return this.#locks.whenFree(name, () => {
      const { fence: storedFence } = this.#steps.state(key);
      const isAdmitted =
        !transaction.isOver &&
        this.#guards.admits(key, fence) &&
        !isFencedOut({ fence }, storedFence);
      if (!isAdmitted) return 'refused';
      this.#locks.lock(name, transaction);
      return 'admitted';
    });
  }

  /**
   * All its keys must have been admitted.
   * @throws Error if the transaction is over because its connection was lost
   */
  commit(changes: readonly GuardedChange[], transaction: Transaction): void {
    if (transaction.isOver) throw new Error('The transaction is over.');
    for (const { key, fence, change } of changes) {
      const write = { key, fence, change, outbox: false };
      const { version } = this.#steps.commit(write, this.#rowAfter(write));
      this.#guards.committed(key, fence, version);
    }
    this.#locks.end(transaction);
  }

  /** The same by a program that does not call `lockstep_guard`. */
  commitUnguarded(changes: readonly GuardedChange[], transaction: Transaction): void {
    if (transaction.isOver) throw new Error('The transaction is over.');
    for (const { key, change } of changes) {
      this.#steps.replaceRow(key, this.#rowAfter({ key, change, outbox: false }));
    }
    this.#locks.end(transaction);
  }

  #rowAfter(write: Parameters<KeySteps['tried']>[0]): Row | null {
    const tried = this.#steps.tried(write);
    if ('refusal' in tried) throw new Error('A guarded transaction makes only changes that fit.');
    return tried.row;
  }
}
