import {
  assertHasRows,
  isComputed,
  isDerived,
  isQuery,
  isFencedOut,
  type Idempotency,
  type Key,
  keyFromRow,
  notCached,
  keyFromRowText,
  type NewRow,
  type Resource,
  type RowFilter,
} from '../../domain/index.ts';
import type { Budget, Connections, Session } from '../connections/connections.ts';
import { refusalOf } from '../connections/refusals.ts';
import {
  isNotAdmitted,
  isRepeatedOutcome,
  StatementFailure,
  toDatabaseError,
} from '../connections/statement-failure.ts';
import type {
  IdempotencyRecord,
  NewKey,
  Refusal,
  RowStore,
  RowTransaction,
  RowTransactionResult,
  RowWrite,
  RowWriteResult,
  VersionedRow,
} from '../port.ts';
import type { QueryReader } from '../queries/query-reader.ts';
import { decodeRow } from '../values/row-text.ts';
import {
  type Attempt,
  ChangeRefused,
  MAX_ATTEMPTS,
  policySwitched,
  ReachesMore,
  refusalNow,
  tooManyRaces,
  type UnexplainedAttempt,
  Unverified,
} from './attempt.ts';
import type { RowDialect } from './row-dialect.ts';
import { OrderedWrites } from './ordered-writes.ts';
import { TransactionWriter } from './transaction-writer.ts';
import { noSuchRow, readEach } from './unheld-key.ts';
import type { ErrorCodes } from '../statements/error-codes.ts';

/** `repeat`: the idempotency key has an outcome, which may be too old to count. */
type Unexplained = UnexplainedAttempt | { status: 'repeat' };

export interface SqlRowStoreOptions {
  connections: Connections;
  dialect: RowDialect;
  codes: ErrorCodes;
  queries: Pick<QueryReader, 'read'>;
}

/** The rows of one SQL database, in any dialect. Derived resources have queries in their place, and are never written. */
export class SqlRowStore implements RowStore {
  readonly #connections: Connections;
  readonly #dialect: RowDialect;
  readonly #codes: ErrorCodes;
  readonly #queries: Pick<QueryReader, 'read'>;
  readonly #transactions: TransactionWriter;
  readonly #ordered: OrderedWrites;

  constructor({ connections, dialect, codes, queries }: SqlRowStoreOptions) {
    this.#connections = connections;
    this.#dialect = dialect;
    this.#codes = codes;
    this.#queries = queries;
    this.#transactions = new TransactionWriter(connections, dialect);
    this.#ordered = new OrderedWrites({
      dialect,
      alone: (write) => this.write(write),
      answerOf: (write, attempt) =>
        isResult(attempt)
          ? Promise.resolve(attempt)
          : guarded('read', this.#explain(write, attempt, { startedAtMs: null })),
    });
  }

  async read(key: Key, { confirmed = false } = {}): Promise<VersionedRow> {
    const { resource } = key;
    if (isComputed(resource)) throw notCached(resource);
    if (isQuery(resource)) {
      const [answer] = await this.#queries.read(resource, [key]);
      return answer ?? { version: 0, fence: 0, row: null };
    }
    if (confirmed) await guarded('read', this.#dialect.awaitCommit(key));
    return guarded('read', this.#read(key));
  }

  async readMany(resource: Resource, keys: readonly Key[]): Promise<VersionedRow[]> {
    if (isComputed(resource)) throw notCached(resource);
    if (isQuery(resource)) return this.#queries.read(resource, keys);
    if (keys.length === 0) return [];
    const reading = this.#use((session) => this.#dialect.readMany(session, resource, keys));
    return guarded(
      'read',
      reading.catch((error: unknown) =>
        readEach(this.#codes, keys, error, (key) => this.#read(key)),
      ),
    );
  }

  async findKeys(resource: Resource, where: RowFilter, limit: number): Promise<Key[]> {
    assertHasRows(resource);
    const rows = await guarded('read', this.#dialect.findMatching(resource, where, limit));
    return rows.flatMap(
      (values) => keyFromRow(resource, decodeRow(resource.keyColumns, values)) ?? [],
    );
  }

  /**
   * A try that is not admitted has changed nothing and says no reason: a second statement finds it. Where it finds none,
   * another writer was in between (the try saw an older snapshot than its lock) and the write is tried again.
   */
  async write(write: RowWrite): Promise<RowWriteResult> {
    assertHasRows(write.key.resource);
    const budget: Budget = { startedAtMs: null };
    for (let attempts = 1; ; attempts++) {
      const tried = await this.#attempt(write, budget);
      const isFailure = tried instanceof StatementFailure;
      if (!isFailure && isResult(tried)) return tried;
      const result = isFailure ? null : await guarded('read', this.#explain(write, tried, budget));
      if (result !== null) return result;
      if (attempts === MAX_ATTEMPTS) throw tooManyRaces(isFailure ? tried : null);
    }
  }

  async writeInOrder(writes: readonly RowWrite[]): Promise<(RowWriteResult | Error | null)[]> {
    for (const { key } of writes) assertHasRows(key.resource);
    return this.#ordered.run(writes);
  }

  makeKey(row: NewRow): Promise<NewKey> {
    assertHasRows(row.resource);
    return guarded('read', this.#dialect.makeKey(row));
  }

  async writeTogether(transaction: RowTransaction): Promise<RowTransactionResult> {
    for (const { key } of transaction.writes) assertHasRows(key.resource);
    return this.#transactions.write(transaction);
  }

  async raiseFence(
    key: Key,
    fence: number,
    refused?: { idempotency: Idempotency; refusal: Refusal },
    heldFences?: readonly number[],
  ): ReturnType<RowStore['raiseFence']> {
    assertHasRows(key.resource);
    const raising = this.#dialect.raiseFence(key, fence, refused, heldFences);
    const isRaised = await guarded('write', raising);
    // A statement of its own: one that waited for the key's lock would see the row as it was before.
    const row = await this.read(key);
    return isRaised ? { status: 'raised', row } : { status: 'fenced', storedFence: row.fence };
  }

  recordRefusal(key: Key, idempotency: Idempotency, refusal: Refusal): Promise<void> {
    const { outcomes } = this.#dialect;
    const refused = { idempotency, refusal };
    return guarded(
      'write',
      this.#use((session) => outcomes.addRefusal(session, key, refused)),
    );
  }

  findOutcome(idempotencyKey: string): Promise<IdempotencyRecord | null> {
    return guarded('read', this.#findOutcome(idempotencyKey));
  }

  pruneOutcomes(limit: number): Promise<number> {
    return guarded(
      'write',
      this.#use((session) => this.#dialect.outcomes.prune(session, limit)),
    );
  }

  /** Of a derived resource only the cache knows which parameters there are. */
  async sampleKeys(resource: Resource, count: number): Promise<Key[]> {
    if (isDerived(resource)) return [];
    const rows = await guarded('read', this.#dialect.sampleKeys(resource, count));
    const keys = rows.flatMap(
      (values) => keyFromRow(resource, decodeRow(resource.keyColumns, values)) ?? [],
    );
    return [...new Map(keys.map((key) => [key.text, key])).values()].slice(0, count);
  }

  async recentKeys(resource: Resource, count: number): Promise<Key[]> {
    if (isDerived(resource)) return [];
    const rows = await guarded('read', this.#dialect.recentKeys(resource, count));
    return rows.map(([text]) => keyFromRowText(resource, String(text)));
  }

  async #read(key: Key, budget?: Budget): Promise<VersionedRow> {
    try {
      const sql = this.#dialect.readSql(key);
      const { rows } = await this.#use((session) => session.run(sql), budget);
      return this.#dialect.versionedRow(key, rows[0] ?? []);
    } catch (error) {
      return noSuchRow(this.#codes, key, error);
    }
  }

  /** Answers the failure where the same may pass at once. */
  async #attempt(
    write: RowWrite,
    budget: Budget,
  ): Promise<Attempt | Unexplained | StatementFailure> {
    try {
      return await this.#dialect.attempt(write, budget);
    } catch (error) {
      if (error instanceof Unverified) return { status: 'unverified' };
      if (error instanceof ChangeRefused) return error.tried;
      if (error instanceof ReachesMore) return { status: 'reaches', keys: error.keys };
      if (!(error instanceof StatementFailure)) throw error;
      if (error.kind === 'rolled-back' && error.passing) return error;
      if (error.kind !== 'refused') throw toDatabaseError(error, 'write');
      if (write.idempotency !== undefined && isRepeatedOutcome(error)) return { status: 'repeat' };
      if (isNotAdmitted(error)) return { status: 'not-admitted' };
      const refusal = refusalOf(this.#connections.refusalCodes, error);
      if (refusal === null) throw toDatabaseError(error, 'write');
      return { status: 'refused', refusal };
    }
  }

  /** Why a try was not admitted; null where no reason stands any more. */
  async #explain(
    write: RowWrite,
    tried: Unexplained,
    budget: Budget,
  ): Promise<RowWriteResult | null> {
    const { outcomes } = this.#dialect;
    if (write.idempotency !== undefined) {
      const { key } = write.idempotency;
      const record = await this.#findOutcome(key, budget);
      if (record !== null) return { status: 'replayed', record };
      if (tried.status === 'repeat')
        await this.#use((session) => outcomes.deleteOld(session, key), budget);
    }
    if (tried.status === 'repeat') return null;
    if (tried.status === 'not-admitted' && tried.refusal !== undefined)
      return { status: 'refused', refusal: tried.refusal };
    const current = await this.#read(write.key, budget);
    if (isFencedOut(write, current.fence)) return { status: 'fenced', storedFence: current.fence };
    const refusal = refusalNow(write, tried, current);
    if (refusal !== null) return { status: 'refused', refusal };
    const { resource } = write.key;
    if (resource.epoch === undefined) return null;
    if (!(await this.#use((session) => outcomes.isCurrent(session, resource), budget)))
      throw policySwitched(resource);
    return null;
  }

  #findOutcome(key: string, budget?: Budget): Promise<IdempotencyRecord | null> {
    return this.#use((session) => this.#dialect.outcomes.find(session, key), budget);
  }

  #use<T>(task: (session: Session) => Promise<T>, budget?: Budget): Promise<T> {
    return this.#connections.use(task, budget);
  }
}

const isResult = (tried: Attempt | Unexplained): tried is Exclude<Attempt, UnexplainedAttempt> =>
  tried.status === 'applied' || tried.status === 'unverified' || tried.status === 'reaches';

async function guarded<T>(sent: 'read' | 'write', result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw toDatabaseError(error, sent);
  }
}
