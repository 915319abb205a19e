/** Several writes in one transaction, all or none, on the database in memory. */
import type { Row } from '@lockstep/shared';
import type {
  AppliedRow,
  IdempotencyRecord,
  Refusal,
  RowTransaction,
  RowTransactionResult,
  RowWrite,
} from '../../../server/src/database/port.ts';
import { type Idempotency, isFencedOut, type Key } from '../../../server/src/domain/index.ts';
import type { KeyLocks, Transaction } from './key-locks.ts';

/** The row that a write would leave, or why it would be refused. */
export type Tried = { row: Row | null } | { refusal: Refusal };

/** The database's operations on single keys. */
export interface KeySteps {
  state(key: Key): { version: number; fence: number };
  storeFence(key: Key, fence: number): void;
  tried(write: RowWrite): Tried;
  commit(write: RowWrite, row: Row | null): AppliedRow;
  findOutcome(idempotencyKey: string): IdempotencyRecord | null;
  remember(key: Key, idempotency: Idempotency, result: IdempotencyRecord['result']): void;
}

export class MemoryTransactions {
  readonly #locks: KeyLocks;
  readonly #steps: KeySteps;

  constructor(locks: KeyLocks, steps: KeySteps) {
    this.#locks = locks;
    this.#steps = steps;
  }

  /** Carried out as soon as none of the keys is locked. */
  write(asked: RowTransaction): Promise<RowTransactionResult> {
    return this.#locks.whenAllFree(namesOf(asked), () => this.#write(asked, true));
  }

  /** If it would be applied, the keys stay locked until `commit`, or until the transaction is rolled back. */
  begin(
    asked: RowTransaction,
    transaction: Transaction,
  ): Promise<RowTransactionResult | 'prepared'> {
    const names = namesOf(asked);
    return this.#locks.whenAllFree(names, () => {
      const result = this.#write(asked, false);
      if (result !== 'prepared' || transaction.isOver) return result;
      for (const name of names) this.#locks.lock(name, transaction);
      return result;
    });
  }

  /** @throws Error if the transaction is over because its connection was lost */
  commit(asked: RowTransaction, transaction: Transaction): RowTransactionResult {
    if (transaction.isOver) throw new Error('The transaction is over.');
    const result = this.#write(asked, true);
    this.#locks.end(transaction);
    return result;
  }

  #write(asked: RowTransaction, commits: true): RowTransactionResult;
  #write(asked: RowTransaction, commits: false): RowTransactionResult | 'prepared';
  #write(asked: RowTransaction, commits: boolean): RowTransactionResult | 'prepared' {
    const { writes, idempotency } = asked;
    const fenced = writes.flatMap((write, index) => {
      const { fence: storedFence } = this.#steps.state(write.key);
      return isFencedOut(write, storedFence) ? [{ index, storedFence }] : [];
    });
    if (fenced.length > 0) return { status: 'fenced', fenced };
    const record = idempotency === undefined ? null : this.#steps.findOutcome(idempotency.key);
    if (record !== null) return { status: 'replayed', record };
    const rows: (Row | null)[] = [];
    for (const [index, write] of writes.entries()) {
      const tried = this.#steps.tried(write);
      if ('refusal' in tried) return this.#refuse(asked, index, tried.refusal);
      rows.push(tried.row);
    }
    return commits ? this.#commit(asked, rows) : 'prepared';
  }

  #refuse(
    { writes, idempotency }: RowTransaction,
    index: number,
    refusal: Refusal,
  ): RowTransactionResult {
    for (const { key, fence } of writes) {
      if (fence !== undefined) this.#steps.storeFence(key, fence);
    }
    const key = writes[index]?.key;
    if (idempotency !== undefined && key !== undefined) {
      this.#steps.remember(key, idempotency, { status: 'refused', refusal, index });
    }
    const versions = writes.map((write) => this.#steps.state(write.key).version);
    return { status: 'refused', index, refusal, versions };
  }

  #commit(
    { writes, idempotency }: RowTransaction,
    rows: readonly (Row | null)[],
  ): RowTransactionResult {
    const applied = writes.map((write, index) => this.#steps.commit(write, rows[index] ?? null));
    const [first] = writes;
    if (idempotency !== undefined && first !== undefined) {
      const kept = applied.map(({ created, version, row }, index) => {
        const { key, fence = null } = writes[index] ?? first;
        return { resource: key.resource.name, keyText: key.text, created, version, row, fence };
      });
      const result = { status: 'applied-together' as const, writes: kept };
      this.#steps.remember(first.key, idempotency, result);
    }
    return { status: 'applied', rows: applied };
  }
}

export const nameOf = ({ resource, text }: Key): string => `${resource.name}:${text}`;
const namesOf = ({ writes }: RowTransaction): string[] => writes.map(({ key }) => nameOf(key));
