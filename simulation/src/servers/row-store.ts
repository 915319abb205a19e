import type {
  RowStore,
  RowTransaction,
  RowTransactionResult,
  RowWrite,
  RowWriteResult,
  VersionedRow,
} from '../../../server/src/database/port.ts';
import { type Key, LockstepError } from '../../../server/src/domain/index.ts';
import type { Timers } from '../../../server/src/runtime/ports.ts';
import { Unanswered } from '../world/network.ts';
import type { Transaction } from './key-locks.ts';
import type { SendToDatabase } from './send-to-database.ts';
import type { MemoryDatabase } from './memory-database.ts';
import { WritesInOrder } from './writes-in-order.ts';

/** The engine's port of the rows: each statement is sent. */
export function rowStoreOn(
  database: MemoryDatabase,
  send: SendToDatabase,
  watch: TransactionWatch,
  timers: Pick<Timers, 'after'>,
): RowStore {
  const ask = <T>(name: string, about: string, step: () => T | Promise<T>): Promise<T> =>
    answered('read', send({ name, about, repeatable: true }, step));
  const read = (key: Key): Promise<VersionedRow> =>
    ask('read', key.cacheKey, () => database.read(key));
  const writeOne = (write: RowWrite): Promise<RowWriteResult> => {
    if (write.verify !== undefined) return verifiedWrite(database, send, write, watch);
    const { key, change, fence, idempotency, ifMatch } = write;
    const name = [
      `write ${change.op}`,
      ...(fence === undefined ? [] : [`of ${fence}`]),
      ...(ifMatch === undefined ? [] : [`if v${ifMatch}`]),
    ].join(' ');
    // A write without a fence and without an idempotency key would apply twice.
    const repeatable = fence !== undefined || idempotency !== undefined;
    const statement = { name, about: key.cacheKey, repeatable };
    return answered(
      'write',
      send(statement, () => database.write(write)),
    );
  };
  const inOrder = new WritesInOrder(database, send, writeOne, timers);
  return {
    read: async (key, { confirmed = false } = {}) => {
      if (confirmed) await ask('await-commit', key.cacheKey, () => database.awaitCommit(key));
      return read(key);
    },
    readMany: (_resource, keys) => Promise.all(keys.map(read)),
    makeKey: async ({ resource }) => {
      // Each arrival makes a number, and a number that nobody uses is no harm.
      const make = { name: 'make-key', about: resource.name, repeatable: true };
      return {
        status: 'made',
        key: await answered(
          'read',
          send(make, () => database.makeKey(resource)),
        ),
      };
    },
    write: (write) => inOrder.write(write),
    writeInOrder: (writes) => inOrder.writeAll(writes),
    writeTogether: (transaction) => {
      if (transaction.verify !== undefined) {
        return verifiedTransaction(database, send, transaction, watch);
      }
      const { writes, idempotency } = transaction;
      const repeatable =
        idempotency !== undefined || writes.every(({ fence }) => fence !== undefined);
      const statement = { name: 'transaction', about: namesOf(transaction), repeatable };
      return answered(
        'write',
        send(statement, () => database.together.write(transaction)),
      );
    },
    raiseFence: async (key, fence, refused, heldFences) => {
      const statement = { name: `raise-fence ${fence}`, about: key.cacheKey, repeatable: true };
      const { status } = await answered(
        'write',
        send(statement, () => database.raiseFence(key, fence, refused, heldFences)),
      );
      const row = await read(key);
      return status === 'raised' ? { status, row } : { status, storedFence: row.fence };
    },
    recordRefusal: (key, idempotency, refusal) => {
      const statement = { name: 'record-refusal', about: key.cacheKey, repeatable: true };
      return answered(
        'write',
        send(statement, () => database.recordRefusal(key, idempotency, refusal)),
      );
    },
    findOutcome: (idempotencyKey) =>
      ask('find-outcome', idempotencyKey, () => database.findOutcome(idempotencyKey)),
    ...NOT_SIMULATED,
  };
}

/** What no client of a simulated world asks for. */
const NOT_SIMULATED: Pick<RowStore, 'findKeys' | 'pruneOutcomes' | 'sampleKeys' | 'recentKeys'> = {
  findKeys: () => Promise.resolve([]),
  pruneOutcomes: () => Promise.resolve(0),
  sampleKeys: () => Promise.resolve([]),
  recentKeys: () => Promise.resolve([]),
};

/** What happens to transactions whose connections end. */
export interface TransactionWatch {
  /** A transaction has begun. It is rolled back if its process dies. */
  begun(transaction: Transaction): void;
  /** Its connection was given up: it is rolled back when the server notices, unless it commits before. */
  abandoned(transaction: Transaction): void;
}

/** A write with verification: the statement, the writer's check of its intent, the commit. */
async function verifiedWrite(
  database: MemoryDatabase,
  send: SendToDatabase,
  write: RowWrite,
  watch: TransactionWatch,
): Promise<RowWriteResult> {
  const { key, change, fence, verify } = write;
  const transaction: Transaction = { isOver: false };
  const statement = <T>(
    sent: 'read' | 'write',
    name: string,
    step: () => T,
  ): Promise<Awaited<T>> => {
    const described = `${name} ${change.op} of ${fence}`;
    return answered(
      sent,
      send({ name: described, about: key.cacheKey, repeatable: false }, () => step() as Awaited<T>),
    );
  };
  try {
    watch.begun(transaction);
    const result = await statement('read', 'begin', () => database.begin(write, transaction));
    if (result !== 'prepared') return result;
    if ((await verify?.()) === false) {
      await statement('read', 'roll-back', () => database.rollBack(transaction));
      return { status: 'unverified' };
    }
    return await statement('write', 'commit', () => database.commit(write, transaction));
  } catch (error) {
    watch.abandoned(transaction);
    throw error;
  }
}

/** The same for several writes. */
async function verifiedTransaction(
  database: MemoryDatabase,
  send: SendToDatabase,
  asked: RowTransaction,
  watch: TransactionWatch,
): Promise<RowTransactionResult> {
  const transaction: Transaction = { isOver: false };
  const statement = <T>(
    sent: 'read' | 'write',
    name: string,
    step: () => T,
  ): Promise<Awaited<T>> => {
    const described = { name: `${name} transaction`, about: namesOf(asked), repeatable: false };
    return answered(
      sent,
      send(described, () => step() as Awaited<T>),
    );
  };
  try {
    watch.begun(transaction);
    const result = await statement('read', 'begin', () =>
      database.together.begin(asked, transaction),
    );
    // A refused transaction commits its fences, so if its answer is lost, they may be stored.
    if (result !== 'prepared') return result;
    if ((await asked.verify?.()) === false) {
      await statement('read', 'roll-back', () => database.rollBack(transaction));
      return { status: 'unverified' };
    }
    return await statement('write', 'commit', () => database.together.commit(asked, transaction));
  } catch (error) {
    watch.abandoned(transaction);
    throw error;
  }
}

const namesOf = ({ writes }: RowTransaction): string =>
  writes.map(({ key }) => key.cacheKey).join(' ');

/** The error for a statement without an answer. The outcome of a write that was sent is unknown. */
export async function answered<T>(sent: 'read' | 'write', reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    if (sent === 'write' && error.why !== 'refused') {
      throw new LockstepError('OUTCOME_UNKNOWN', 'The commit was sent and no answer came.', {
        cause: error,
      });
    }
    throw new LockstepError('DATABASE_UNAVAILABLE', 'The database does not answer.', {
      cause: error,
    });
  }
}
