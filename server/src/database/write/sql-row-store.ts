import type { Idempotency, Key, Resource } from '../../domain/index.ts';
import type { Budget, Connections, Session } from '../connections/connections.ts';
import type { RawValue, SentSql } from '../connections/driver.ts';
import { toDatabaseError } from '../connections/statement-failure.ts';
import type {
  IdempotencyRecord,
  Refusal,
  RowStore,
  RowTransaction,
  RowWrite,
  VersionedRow,
} from '../port.ts';
import type { Outcomes, RefusedWrite } from './outcomes.ts';
import { carryOutTogether, type TogetherSteps } from './together-flow.ts';
import { noSuchRow, readEach } from './unheld-key.ts';
import { carryOut, type Attempt, type WriteSteps } from './write-flow.ts';

/** How a dialect reads and writes rows with their versions. All reject with StatementFailure. */
export interface RowDialect {
  readonly outcomes: Outcomes;
  readonly together: Omit<TogetherSteps, 'outcomes'>;
  /** The statement that reads a row with its version. */
  readSql(key: Key): SentSql;
  /** The row, from what `readSql` answered. */
  versionedRow(key: Key, values: readonly RawValue[]): VersionedRow;
  /** In the order of the keys, in one snapshot. */
  readMany(session: Session, resource: Resource, keys: readonly Key[]): Promise<VersionedRow[]>;
  attempt(write: RowWrite, budget: Budget): Promise<Attempt>;
  /** Waits for a transaction that is writing the key. */
  awaitCommit(key: Key): Promise<void>;
  /** @returns false where the key has a fence as high, or one that is not held */
  raiseFence(
    key: Key,
    fence: number,
    refused: RefusedWrite | undefined,
    heldFences: readonly number[] | undefined,
  ): Promise<boolean>;
  sampleKeys(resource: Resource, count: number): Promise<Key[]>;
  recentKeys(resource: Resource, count: number): Promise<Key[]>;
}

/** The rows of one SQL database, in any dialect. */
export class SqlRowStore implements RowStore {
  readonly #connections: Connections;
  readonly #dialect: RowDialect;
  readonly #outcomes: Outcomes;
  readonly #steps: WriteSteps;
  readonly #togetherSteps: TogetherSteps;

  constructor(connections: Connections, dialect: RowDialect) {
    const { outcomes } = dialect;
    this.#connections = connections;
    this.#dialect = dialect;
    this.#outcomes = outcomes;
    this.#steps = {
      attempt: (write, budget) => dialect.attempt(write, budget),
      read: (key, budget) => this.#read(key, budget),
      outcomes,
    };
    this.#togetherSteps = { ...dialect.together, outcomes };
  }

  async read(key: Key, { settled = false } = {}): Promise<VersionedRow> {
    if (settled) await guarded('read', this.#dialect.awaitCommit(key));
    return guarded('read', this.#read(key));
  }

  async readMany(resource: Resource, keys: readonly Key[]): Promise<VersionedRow[]> {
    if (keys.length === 0) return [];
    const reading = this.#connections.use((session) =>
      this.#dialect.readMany(session, resource, keys),
    );
    return guarded(
      'read',
      reading.catch((error: unknown) => readEach(keys, error, (key) => this.#read(key))),
    );
  }

  write(write: RowWrite): ReturnType<RowStore['write']> {
    return carryOut(this.#connections, this.#steps, write);
  }

  writeTogether(transaction: RowTransaction): ReturnType<RowStore['writeTogether']> {
    return carryOutTogether(this.#connections, this.#togetherSteps, transaction);
  }

  async raiseFence(
    key: Key,
    fence: number,
    refused?: { idempotency: Idempotency; refusal: Refusal },
    heldFences?: readonly number[],
  ): ReturnType<RowStore['raiseFence']> {
    const isRaised = await guarded(
      'write',
      this.#dialect.raiseFence(key, fence, refused, heldFences),
    );
    // A statement of its own: one that waited for the key's lock would see the row as it was before.
    const row = await this.read(key);
    return isRaised ? { status: 'raised', row } : { status: 'fenced', storedFence: row.fence };
  }

  async recordRefusal(key: Key, idempotency: Idempotency, refusal: Refusal): Promise<void> {
    const refused = { idempotency, refusal };
    await guarded(
      'write',
      this.#connections.use((session) => this.#outcomes.addRefusal(session, key, refused)),
    );
  }

  findOutcome(idempotencyKey: string): Promise<IdempotencyRecord | null> {
    return guarded(
      'read',
      this.#connections.use((session) => this.#outcomes.find(session, idempotencyKey)),
    );
  }

  pruneOutcomes(limit: number): Promise<number> {
    return guarded(
      'write',
      this.#connections.use((session) => this.#outcomes.prune(session, limit)),
    );
  }

  sampleKeys(resource: Resource, count: number): Promise<Key[]> {
    return guarded('read', this.#dialect.sampleKeys(resource, count));
  }

  recentKeys(resource: Resource, count: number): Promise<Key[]> {
    return guarded('read', this.#dialect.recentKeys(resource, count));
  }

  async #read(key: Key, budget?: Budget): Promise<VersionedRow> {
    try {
      const sql = this.#dialect.readSql(key);
      const { rows } = await this.#connections.use((session) => session.run(sql), budget);
      return this.#dialect.versionedRow(key, rows[0] ?? []);
    } catch (error) {
      return noSuchRow(key, error);
    }
  }
}

async function guarded<T>(sent: 'read' | 'write', result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw toDatabaseError(error, sent);
  }
}
