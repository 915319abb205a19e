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
import { LockstepError, tableNameParts, type Key } from '../../domain/index.ts';
import type { Budget, Connections, Session } from '../connections/connections.ts';
import type { Outcomes } from './outcomes.ts';
import { togetherBindings } from './outcome-record.ts';
import type {
  AppliedRow,
  RowTransaction,
  RowTransactionResult,
  RowWrite,
  VersionedRow,
} from '../port.ts';
import { refusalOf, type DatabaseRefusal } from '../connections/refusals.ts';
import {
  isNotAdmitted,
  isRepeatedOutcome,
  NOT_ADMITTED,
  StatementFailure,
  toDatabaseError,
} from '../connections/statement-failure.ts';
import {
  type Attempt,
  ChangeRefused,
  isFencedOut,
  policySwitched,
  ReachesMore,
  refusalNow,
  tooManyRaces,
  Unverified,
  type Unsettled,
} from './write-flow.ts';

/** What `lockstep_keys` has for a key. */
export interface LockedKey {
  version: number;
  fence: number;
}

export type FencedWrite = RowTransaction['writes'][number] & { fence: number };

/** What a dialect gives to the flow. All reject with StatementFailure. */
export interface TogetherSteps {
  /** Adds and locks the keys' rows, always in the same order. @returns them in the caller's order */
  lockKeys(session: Session, keys: readonly Key[]): Promise<LockedKey[]>;
  storeFences(session: Session, writes: readonly FencedWrite[]): Promise<void>;
  /**
   * Whether the database may do more than these writes say. Then each is made first, and finished when all are made and
   * all has fired: a trigger of one may change the row of another.
   */
  areObserved(writes: RowTransaction['writes']): boolean;
  /** One write at once, where it is not observed. */
  attempt(session: Session, write: RowWrite): Promise<Attempt>;
  /** Makes a change; what it resolves to finishes it. Both reject with ChangeRefused too. */
  make(session: Session, write: RowWrite): Promise<() => Promise<AppliedRow>>;
  /** Fires every trigger and constraint that is deferred to the commit. */
  fireDeferred(session: Session): Promise<void>;
  read(session: Session, key: Key): Promise<VersionedRow>;
  /** Stores an outcome; refused (`isRepeatedOutcome`) where the idempotency key has one. */
  remember(session: Session, key: Key, outcome: OutcomeBindings): Promise<void>;
  readonly outcomes: Outcomes;
}

type OutcomeBindings = ReturnType<typeof togetherBindings>;

/** Tries at one transaction: deadlocks with other programs and lost races with them are rare. */
const MAX_ATTEMPTS = 4;

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
  readonly tried: Unsettled;

  constructor(index: number, tried: Stopped['tried']) {
    super(tried.status);
    this.index = index;
    this.tried = tried;
  }
}

export async function carryOutTogether(
  connections: Connections,
  steps: TogetherSteps,
  transaction: RowTransaction,
): Promise<RowTransactionResult> {
  const budget: Budget = { startedAtMs: null };
  for (let attempts = 1; ; attempts++) {
    try {
      return await connections.transaction(
        (session) => tryTogether(connections, steps, session, transaction),
        budget,
      );
    } catch (error) {
      if (error instanceof RolledBack) return error.result;
      if (error instanceof Unverified) return { status: 'unverified' };
      if (error instanceof ReachesMore) return { status: 'reaches', keys: error.keys };
      if (!(error instanceof StatementFailure)) throw error;
      const refusal = refusalOf(connections.refusalCodes, error);
      if (refusal !== null) {
        return commitRefused(connections, steps, transaction, { refusal, failure: error }, budget);
      }
      if (!(error.kind === 'rolled-back' && error.passing)) throw toDatabaseError(error, 'write');
      if (attempts === MAX_ATTEMPTS) throw tooManyRaces(error);
    }
  }
}

async function tryTogether(
  connections: Connections,
  steps: TogetherSteps,
  session: Session,
  transaction: RowTransaction,
): Promise<RowTransactionResult> {
  const { writes, verify } = transaction;
  const lockedKeys = await steps.lockKeys(
    session,
    writes.map(({ key }) => key),
  );
  const fenced = fencedOut(writes, lockedKeys);
  if (fenced.length > 0) throw new RolledBack({ status: 'fenced', fenced });
  const carryOut = (): Promise<AppliedRow[]> =>
    session.nested(() => writeAll(connections, steps, session, transaction, lockedKeys));
  try {
    const rows = await carryOut().catch(async (error: unknown) => {
      await forgetOld(steps, session, transaction, error);
      return carryOut();
    });
    if (verify !== undefined && !(await verify())) throw new Unverified();
    return { status: 'applied', rows };
  } catch (error) {
    if (error instanceof Stopped) return explain(steps, session, transaction, lockedKeys, error);
    throw error;
  }
}

function fencedOut(
  writes: RowTransaction['writes'],
  lockedKeys: readonly LockedKey[],
): { index: number; storedFence: number }[] {
  return writes.flatMap((write, index) => {
    const storedFence = lockedKeys[index]?.fence ?? 0;
    return isFencedOut(write, storedFence) ? [{ index, storedFence }] : [];
  });
}

async function writeAll(
  connections: Connections,
  steps: TogetherSteps,
  session: Session,
  { writes, idempotency }: RowTransaction,
  lockedKeys: readonly LockedKey[],
): Promise<AppliedRow[]> {
  const write = steps.areObserved(writes) ? writeObserved : writeEach;
  const rows = await write(connections, steps, session, writes, lockedKeys);
  const [first] = writes;
  if (idempotency === undefined || first === undefined) return rows;
  const kept = rows.map(({ created, version, row }, index) => {
    const { key, fence = null } = writes[index] ?? first;
    const { resource, text: keyText } = key;
    return { resource: resource.name, keyText, created, version, row, fence };
  });
  await steps.remember(session, first.key, togetherBindings(idempotency, kept));
  return rows;
}

async function writeEach(
  connections: Connections,
  steps: TogetherSteps,
  session: Session,
  writes: RowTransaction['writes'],
  lockedKeys: readonly LockedKey[],
): Promise<AppliedRow[]> {
  const rows: AppliedRow[] = [];
  for (const [index, write] of writes.entries()) {
    assertVersion(index, write, lockedKeys);
    const tried = await stopping(connections, index, () => steps.attempt(session, write));
    if (tried.status === 'reaches') throw new ReachesMore(tried.keys);
    if (tried.status !== 'applied')
      throw new Stopped(index, tried.status === 'unverified' ? { status: 'not-admitted' } : tried);
    const { status: _status, ...row } = tried;
    rows.push(row);
  }
  return rows;
}

async function writeObserved(
  connections: Connections,
  steps: TogetherSteps,
  session: Session,
  writes: RowTransaction['writes'],
  lockedKeys: readonly LockedKey[],
): Promise<AppliedRow[]> {
  const finishes: (() => Promise<AppliedRow>)[] = [];
  for (const [index, write] of writes.entries()) {
    assertVersion(index, write, lockedKeys);
    finishes.push(await stopping(connections, index, () => steps.make(session, write)));
  }
  // A refusal that comes only now belongs to no write yet: `commitRefused` finds out which one, as for a refused commit.
  await steps.fireDeferred(session);
  const rows: AppliedRow[] = [];
  for (const [index, finish] of finishes.entries())
    rows.push(await stopping(connections, index, finish));
  return rows;
}

/** @throws Stopped where the write names another version than the key's */
function assertVersion(
  index: number,
  { ifMatch }: RowTransaction['writes'][number],
  lockedKeys: readonly LockedKey[],
): void {
  if (ifMatch !== undefined && ifMatch !== lockedKeys[index]?.version)
    throw new Stopped(index, { status: 'not-admitted' });
}

/** @throws Stopped where the database refuses what is done for the write at `index` */
async function stopping<T>(
  connections: Connections,
  index: number,
  task: () => Promise<T>,
): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof ChangeRefused) throw new Stopped(index, error.tried);
    if (!(error instanceof StatementFailure) || error.kind !== 'refused') throw error;
    if (isNotAdmitted(error)) throw new Stopped(index, { status: 'not-admitted' });
    const refusal = refusalOf(connections.refusalCodes, error);
    if (refusal === null) throw error;
    throw new Stopped(index, { status: 'refused', refusal });
  }
}

/**
 * The database refused outside of the writes: their commit, by a constraint or a trigger that is deferred to it. All of
 * it is rolled back, the fences too: they are stored now, before the caller withdraws an intent (T5).
 */
async function commitRefused(
  connections: Connections,
  steps: TogetherSteps,
  { writes, idempotency }: RowTransaction,
  { refusal, failure }: { refusal: DatabaseRefusal; failure: StatementFailure },
  budget: Budget,
): Promise<RowTransactionResult> {
  const index = operationOf(writes, failure);
  const store = async (session: Session): Promise<RowTransactionResult> => {
    const keys = writes.map(({ key }) => key);
    const lockedKeys = await steps.lockKeys(session, keys);
    const fenced = fencedOut(writes, lockedKeys);
    if (fenced.length > 0) throw new RolledBack({ status: 'fenced', fenced });
    await steps.storeFences(session, writes.filter(isFenced));
    const versions = lockedKeys.map(({ version }) => version);
    const refused = { ...refusal, currentVersion: versions[index ?? 0] ?? 0 };
    const [first] = keys;
    if (idempotency !== undefined && first !== undefined) {
      const which = index === null ? {} : { index };
      await steps.outcomes.addRefusal(session, first, { idempotency, refusal: refused, ...which });
    }
    return { status: 'refused', index, refusal: refused, versions };
  };
  try {
    return await connections.transaction(store, budget);
  } catch (error) {
    if (error instanceof RolledBack) return error.result;
    throw toDatabaseError(error, 'read');
  }
}

/** The only write, or the only one of the table that the failure names. */
function operationOf(writes: RowTransaction['writes'], { table }: StatementFailure): number | null {
  if (writes.length === 1) return 0;
  const [one, another] = [...writes.entries()].flatMap(([index, { key }]) =>
    tableNameParts(key.resource.table).at(-1) === table ? [index] : [],
  );
  return another === undefined ? (one ?? null) : null;
}

/** All is taken back to the savepoint, and the keys are still locked. */
async function explain(
  steps: TogetherSteps,
  session: Session,
  { writes, idempotency }: RowTransaction,
  lockedKeys: readonly LockedKey[],
  { index, tried }: Stopped,
): Promise<RowTransactionResult> {
  const write = writes[index];
  if (write === undefined) throw new LockstepError('INTERNAL', 'A write that is not there.');
  if (idempotency !== undefined) {
    const record = await steps.outcomes.find(session, idempotency.key);
    if (record !== null) throw new RolledBack({ status: 'replayed', record });
  }
  const current = await steps.read(session, write.key);
  const refusal = refusalNow(write, tried, current);
  if (refusal === null) {
    const { resource } = write.key;
    if (resource.epoch !== undefined && !(await steps.outcomes.isCurrent(session, resource)))
      throw policySwitched(resource, index);
    throw lostRace();
  }
  await steps.storeFences(session, writes.filter(isFenced));
  if (idempotency !== undefined) {
    await steps.outcomes.addRefusal(session, write.key, { idempotency, refusal, index });
  }
  return { status: 'refused', index, refusal, versions: lockedKeys.map(({ version }) => version) };
}

/** Resolves where an outcome stood in the way that is too old to count, and is gone now. */
async function forgetOld(
  steps: TogetherSteps,
  session: Session,
  { idempotency }: RowTransaction,
  error: unknown,
): Promise<void> {
  if (!(error instanceof StatementFailure) || !isRepeatedOutcome(error)) throw error;
  if (idempotency === undefined) throw error;
  const record = await steps.outcomes.find(session, idempotency.key);
  if (record !== null) throw new RolledBack({ status: 'replayed', record });
  await steps.outcomes.deleteOld(session, idempotency.key);
}

const isFenced = (write: RowTransaction['writes'][number]): write is FencedWrite =>
  write.fence !== undefined;

/** Another program was in between: a second try sees what it did. */
const lostRace = (): StatementFailure =>
  new StatementFailure({ kind: 'rolled-back', code: NOT_ADMITTED, passing: true, cause: null });
