/**
 * Several writes in one transaction.
 *
 *   lock all keys' rows, in one order -> look at the fences -> savepoint -> the writes, in the caller's order -> the
 *   outcome record -> `verify` -> commit
 *
 * Where one of them is refused all is taken back to the savepoint, and the fences are stored by themselves, with the
 * refusal in the same commit: no earlier holder can commit once the intents are withdrawn (invariant T5). Not before the
 * savepoint: each fence then goes with its version in one change of the key's row, by which the change log knows the
 * write as Lockstep's own (C2).
 * Because every key is locked before the first write, no other transaction of this kind waits crosswise, and why a
 * write was not admitted can be found afterwards: the version cannot have moved meanwhile.
 */
import { isFencedOut, keyFromRow, LockstepError, tableNameParts } from '../../domain/index.ts';
import type { Budget, Connections, Session } from '../connections/connections.ts';
import { refusalOf } from '../connections/refusals.ts';
import {
  isNotAdmitted,
  isRepeatedOutcome,
  NOT_ADMITTED,
  StatementFailure,
  toDatabaseError,
} from '../connections/statement-failure.ts';
import type { AppliedRow, RowTransaction, RowTransactionResult } from '../port.ts';
import { decodeRow } from '../values/row-text.ts';
import {
  assertVerified,
  ChangeRefused,
  MAX_ATTEMPTS,
  policySwitched,
  ReachesMore,
  refusalNow,
  tooManyRaces,
  type UnexplainedAttempt,
  Unverified,
} from './attempt.ts';
import {
  type FencedWrite,
  readRow,
  type RowDialect,
  type TransactionWrite,
} from './row-dialect.ts';

/** What `lockstep_keys` has for a key. */
interface LockedKey {
  version: number;
  fence: number;
}

/** Ends a transaction with an answer instead of a commit. */
class RolledBack extends Error {
  override readonly name = 'RolledBack';
  readonly result: RowTransactionResult;

  constructor(result: RowTransactionResult) {
    super(result.status);
    this.result = result;
  }
}

/** Ends the writes after the savepoint: the one at `index` was not admitted, or the database refused it. */
class Stopped extends Error {
  override readonly name = 'Stopped';
  readonly index: number;
  readonly tried: UnexplainedAttempt;

  constructor(index: number, tried: UnexplainedAttempt) {
    super(tried.status);
    this.index = index;
    this.tried = tried;
  }
}

/** Carries out transactions of several writes, in any dialect. */
export class TransactionWriter {
  readonly #connections: Connections;
  readonly #dialect: RowDialect;

  constructor(connections: Connections, dialect: RowDialect) {
    this.#connections = connections;
    this.#dialect = dialect;
  }

  async write(transaction: RowTransaction): Promise<RowTransactionResult> {
    const budget: Budget = { startedAtMs: null };
    for (let attempts = 1; ; attempts++) {
      try {
        return await this.#connections.transaction(
          (session) => this.#attempt(session, transaction),
          budget,
        );
      } catch (error) {
        if (error instanceof RolledBack) return error.result;
        if (error instanceof Unverified) return { status: 'unverified' };
        if (error instanceof ReachesMore) return { status: 'reaches', keys: error.keys };
        if (!(error instanceof StatementFailure)) throw error;
        if (error.kind === 'refused') return this.#commitRefused(transaction, error, budget);
        if (!(error.kind === 'rolled-back' && error.passing)) throw toDatabaseError(error, 'write');
        if (attempts === MAX_ATTEMPTS) throw tooManyRaces(error);
      }
    }
  }

  async #attempt(session: Session, transaction: RowTransaction): Promise<RowTransactionResult> {
    const lockedKeys = await this.#lockKeys(session, transaction);
    await this.#assertMatching(session, transaction);
    const writeAll = (): Promise<AppliedRow[]> =>
      session.nested(() => this.#writeAll(session, transaction, lockedKeys));
    try {
      const rows = await writeAll().catch(async (error: unknown) => {
        await this.#deleteOldOutcome(session, transaction, error);
        return writeAll();
      });
      if (transaction.verify !== undefined) await assertVerified(transaction);
      return { status: 'applied', rows };
    } catch (error) {
      if (error instanceof Stopped) return this.#explain(session, transaction, lockedKeys, error);
      throw error;
    }
  }

  /** @throws RolledBack where one of the writes is fenced out */
  async #lockKeys(session: Session, { writes }: RowTransaction): Promise<LockedKey[]> {
    const keys = writes.map(({ key }) => key);
    const rows = await this.#dialect.lockKeys(session, keys);
    // No resource's name holds a slash.
    const found = new Map(
      rows.map(([resource, key, version, fence]) => [
        `${String(resource)}/${String(key)}`,
        { version: Number(version), fence: Number(fence) },
      ]),
    );
    const lockedKeys = keys.map(
      ({ rows: name, rowText }) => found.get(`${name}/${rowText}`) ?? { version: 0, fence: 0 },
    );
    const fenced = writes.flatMap((write, index) => {
      const storedFence = lockedKeys[index]?.fence ?? 0;
      return isFencedOut(write, storedFence) ? [{ index, storedFence }] : [];
    });
    if (fenced.length > 0) throw new RolledBack({ status: 'fenced', fenced });
    return lockedKeys;
  }

  /** @throws RolledBack where a row does not match any more, or the idempotency key has an outcome */
  async #assertMatching(
    session: Session,
    { writes, idempotency, where }: RowTransaction,
  ): Promise<void> {
    if (where === undefined) return;
    const own = [...writes.entries()].filter(([, { byForeignKey }]) => byForeignKey !== true);
    const [resource] = own.map(([, { key }]) => key.resource);
    if (resource === undefined) return;
    const keys = own.map(([, { key }]) => key);
    const rows = await this.#dialect.lockMatching(session, keys, where);
    const matching = new Set(
      rows.map((values) => keyFromRow(resource, decodeRow(resource.keyColumns, values))?.text),
    );
    const indexes = own.flatMap(([index, { key }]) => (matching.has(key.text) ? [] : [index]));
    if (indexes.length === 0) return;
    // The first request with the idempotency key has changed them, as likely as not.
    const record =
      idempotency === undefined
        ? null
        : await this.#dialect.outcomes.find(session, idempotency.key);
    throw new RolledBack(
      record === null ? { status: 'unmatched', indexes } : { status: 'replayed', record },
    );
  }

  async #writeAll(
    session: Session,
    { writes, idempotency }: RowTransaction,
    lockedKeys: readonly LockedKey[],
  ): Promise<AppliedRow[]> {
    const rows = this.#dialect.areObserved(writes)
      ? await this.#writeObserved(session, writes, lockedKeys)
      : await this.#writeEach(session, writes, lockedKeys);
    const [first] = writes;
    if (idempotency === undefined || first === undefined) return rows;
    const kept = rows.map(({ created, version, row }, index) => {
      const { key, fence = null } = writes[index] ?? first;
      const { resource, text: keyText } = key;
      return { resource: resource.name, keyText, created, version, row, fence };
    });
    const outcome = { status: 'applied-together', writes: kept } as const;
    await this.#dialect.outcomes.add(session, first.key, idempotency, outcome);
    return rows;
  }

  async #writeEach(
    session: Session,
    writes: readonly TransactionWrite[],
    lockedKeys: readonly LockedKey[],
  ): Promise<AppliedRow[]> {
    const rows: AppliedRow[] = [];
    for (const [index, write] of writes.entries()) {
      assertVersion(index, write, lockedKeys);
      const tried = await this.#stopping(index, () => this.#dialect.attemptWithin(session, write));
      if (tried.status === 'reaches') throw new ReachesMore(tried.keys);
      if (tried.status === 'unverified') throw new Stopped(index, { status: 'not-admitted' });
      if (tried.status !== 'applied') throw new Stopped(index, tried);
      const { status: _status, ...row } = tried;
      rows.push(row);
    }
    return rows;
  }

  async #writeObserved(
    session: Session,
    writes: readonly TransactionWrite[],
    lockedKeys: readonly LockedKey[],
  ): Promise<AppliedRow[]> {
    const finishes: (() => Promise<AppliedRow>)[] = [];
    for (const [index, write] of writes.entries()) {
      assertVersion(index, write, lockedKeys);
      finishes.push(await this.#stopping(index, () => this.#dialect.make(session, write)));
    }
    // A refusal that comes only now belongs to no write yet: `#commitRefused` finds out which one, as for a refused commit.
    await this.#dialect.fireDeferred(session);
    const rows: AppliedRow[] = [];
    for (const [index, finish] of finishes.entries())
      rows.push(await this.#stopping(index, finish));
    return rows;
  }

  /** @throws Stopped where the database refuses what is done for the write at `index` */
  async #stopping<T>(index: number, task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (error) {
      if (error instanceof ChangeRefused) throw new Stopped(index, error.tried);
      if (!(error instanceof StatementFailure) || error.kind !== 'refused') throw error;
      if (isNotAdmitted(error)) throw new Stopped(index, { status: 'not-admitted' });
      const refusal = refusalOf(this.#connections.refusalCodes, error);
      if (refusal === null) throw error;
      throw new Stopped(index, { status: 'refused', refusal });
    }
  }

  /**
   * The database refused outside of the writes: their commit, by a constraint or a trigger that is deferred to it. All
   * of it is rolled back, the fences too: they are stored now, before the caller withdraws an intent (T5).
   */
  async #commitRefused(
    transaction: RowTransaction,
    failure: StatementFailure,
    budget: Budget,
  ): Promise<RowTransactionResult> {
    const { writes, idempotency } = transaction;
    const [first] = writes;
    const refusal = refusalOf(this.#connections.refusalCodes, failure);
    if (refusal === null || first === undefined) throw toDatabaseError(failure, 'write');
    const index = operationOf(writes, failure);
    const store = async (session: Session): Promise<RowTransactionResult> => {
      const lockedKeys = await this.#lockKeys(session, transaction);
      await this.#dialect.storeFences(session, writes.filter(isFenced));
      const versions = lockedKeys.map(({ version }) => version);
      const refused = { ...refusal, currentVersion: versions[index ?? 0] ?? 0 };
      if (idempotency !== undefined) {
        const which = index === null ? {} : { index };
        const outcome = { idempotency, refusal: refused, ...which };
        await this.#dialect.outcomes.addRefusal(session, first.key, outcome);
      }
      return { status: 'refused', index, refusal: refused, versions };
    };
    try {
      return await this.#connections.transaction(store, budget);
    } catch (error) {
      if (error instanceof RolledBack) return error.result;
      throw toDatabaseError(error, 'read');
    }
  }

  /** All is taken back to the savepoint, and the keys are still locked. */
  async #explain(
    session: Session,
    { writes, idempotency }: RowTransaction,
    lockedKeys: readonly LockedKey[],
    { index, tried }: Stopped,
  ): Promise<RowTransactionResult> {
    const { outcomes } = this.#dialect;
    const write = writes[index];
    if (write === undefined) throw new LockstepError('INTERNAL', 'A write that is not there.');
    if (idempotency !== undefined) {
      const record = await outcomes.find(session, idempotency.key);
      if (record !== null) throw new RolledBack({ status: 'replayed', record });
    }
    const refusal = refusalNow(write, tried, await readRow(this.#dialect, session, write.key));
    if (refusal === null) {
      const { resource } = write.key;
      if (resource.epoch !== undefined && !(await outcomes.isCurrent(session, resource)))
        throw policySwitched(resource, index);
      throw lostRace();
    }
    await this.#dialect.storeFences(session, writes.filter(isFenced));
    if (idempotency !== undefined)
      await outcomes.addRefusal(session, write.key, { idempotency, refusal, index });
    return {
      status: 'refused',
      index,
      refusal,
      versions: lockedKeys.map(({ version }) => version),
    };
  }

  /** Resolves where the outcome that stood in the way was too old to count, and is gone now. */
  async #deleteOldOutcome(
    session: Session,
    { idempotency }: RowTransaction,
    error: unknown,
  ): Promise<void> {
    if (!(error instanceof StatementFailure) || !isRepeatedOutcome(error)) throw error;
    if (idempotency === undefined) throw error;
    const { outcomes } = this.#dialect;
    const record = await outcomes.find(session, idempotency.key);
    if (record !== null) throw new RolledBack({ status: 'replayed', record });
    await outcomes.deleteOld(session, idempotency.key);
  }
}

/** @throws Stopped where the write names another version than the key's */
function assertVersion(
  index: number,
  { ifMatch }: TransactionWrite,
  lockedKeys: readonly LockedKey[],
): void {
  if (ifMatch !== undefined && ifMatch !== lockedKeys[index]?.version)
    throw new Stopped(index, { status: 'not-admitted' });
}

/** The only write, or the only one of the table that the failure names. */
function operationOf(
  writes: readonly TransactionWrite[],
  { table }: StatementFailure,
): number | null {
  if (writes.length === 1) return 0;
  const [one, another] = [...writes.entries()].flatMap(([index, { key }]) =>
    tableNameParts(key.resource.table).at(-1) === table ? [index] : [],
  );
  return another === undefined ? (one ?? null) : null;
}

const isFenced = (write: TransactionWrite): write is FencedWrite => write.fence !== undefined;

/** Another program was in between: a second try sees what it did. */
const lostRace = (): StatementFailure =>
  new StatementFailure({ kind: 'rolled-back', code: NOT_ADMITTED, passing: true, cause: null });
