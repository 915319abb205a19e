import type { Row } from '@lockstep/shared';
import { GONE, LockstepError, type Key, type Resource } from '../../domain/index.ts';
import type { Budget, Connections } from '../connections/connections.ts';
import type { ReachedEntries, Refusal, RowWrite, RowWriteResult, VersionedRow } from '../port.ts';
import { refusalOf, type DatabaseRefusal } from '../connections/refusals.ts';
import {
  databaseAnswerOf,
  isNotAdmitted,
  isRepeatedOutcome,
  StatementFailure,
  toDatabaseError,
} from '../connections/statement-failure.ts';
import type { Outcomes } from './outcomes.ts';

/** One try at a write: applied, or rolled back whole because it was not admitted (the reason is looked up afterwards). */
export type Attempt =
  | {
      status: 'applied';
      created: boolean;
      version: number;
      row: Row | null;
      outboxId: string | null;
      related: { before: Row | null; after: Row | null };
      reached?: ReachedEntries;
    }
  | { status: 'not-admitted' }
  /** `sawNoRow`: it was an insert, and the row that stood in its way may be one that came in between. */
  | { status: 'refused'; refusal: DatabaseRefusal; sawNoRow?: boolean }
  | { status: 'reaches'; keys: readonly Key[] }
  | { status: 'unverified' };

/** A try that is not the answer yet: why it was not admitted is looked up. */
export type Unsettled = Extract<Attempt, { status: 'not-admitted' | 'refused' }>;

/** Ends the transaction of a write whose `verify` said no. */
export class Unverified extends Error {
  override readonly name = 'Unverified';
}

/** Ends a transaction that would change strict rows which it does not cover. */
export class ReachesMore extends Error {
  override readonly name = 'ReachesMore';
  readonly keys: readonly Key[];

  constructor(keys: readonly Key[]) {
    super(`${keys.length} strict keys`);
    this.keys = keys;
  }
}

/** Ends the transaction of a write that the database will not have as it was asked for. */
export class ChangeRefused extends Error {
  override readonly name = 'ChangeRefused';
  readonly tried: Extract<Attempt, { status: 'refused' }>;

  constructor(refusal: DatabaseRefusal, { sawNoRow = false } = {}) {
    super(refusal.reason);
    this.tried = { status: 'refused', refusal, ...(sawNoRow ? { sawNoRow } : {}) };
  }
}

/** Asks a write's `verify`, within its transaction. @throws Unverified */
export async function assertVerified({ verify }: RowWrite): Promise<void> {
  if (verify !== undefined && !(await verify())) throw new Unverified();
}

/** What a dialect gives to the flow. All reject with StatementFailure. */
export interface WriteSteps {
  attempt(write: RowWrite, budget: Budget): Promise<Attempt>;
  read(key: Key, budget: Budget): Promise<VersionedRow>;
  readonly outcomes: Outcomes;
}

/** Tries at one write: deadlocks and lost races are rare, and each try is rolled back whole. */
const MAX_ATTEMPTS = 4;

/**
 * Carries one write out.
 *
 * A try that is not admitted has changed nothing and says no reason: a second statement finds it. Where it finds none,
 * another writer was in between (the try saw an older snapshot than its lock) and the write is tried again.
 */
export async function carryOut(
  connections: Connections,
  steps: WriteSteps,
  write: RowWrite,
): Promise<RowWriteResult> {
  const budget: Budget = { startedAtMs: null };
  for (let attempts = 1; ; attempts++) {
    const tried = await attempt(connections, steps, write, budget);
    if (!(tried instanceof StatementFailure) && isSettled(tried)) return tried;
    try {
      const settled =
        tried instanceof StatementFailure
          ? null
          : await explain(connections, steps, write, tried, budget);
      if (settled !== null) return settled;
    } catch (error) {
      throw toDatabaseError(error, 'read');
    }
    if (attempts === MAX_ATTEMPTS) {
      throw tooManyRaces(tried instanceof StatementFailure ? tried : null);
    }
  }
}

/** The last try's failure says more where a trigger raised it. */
export function tooManyRaces(last: StatementFailure | null): LockstepError {
  return new LockstepError(
    'DATABASE_UNAVAILABLE',
    'Other writers of the same row kept coming in between; nothing was applied.',
    last === null ? {} : { cause: last, details: databaseAnswerOf(last) },
  );
}

type Settled = Exclude<Attempt, Unsettled>;

const isSettled = (tried: Tried): tried is Settled =>
  tried.status === 'applied' || tried.status === 'unverified' || tried.status === 'reaches';

type Tried = Attempt | { status: 'repeat' };

/** Answers the failure where the same may pass at once. */
async function attempt(
  connections: Connections,
  steps: WriteSteps,
  write: RowWrite,
  budget: Budget,
): Promise<Tried | StatementFailure> {
  try {
    return await steps.attempt(write, budget);
  } catch (error) {
    if (error instanceof Unverified) return { status: 'unverified' };
    if (error instanceof ChangeRefused) return error.tried;
    if (error instanceof ReachesMore) return { status: 'reaches', keys: error.keys };
    if (!(error instanceof StatementFailure)) throw error;
    if (error.kind === 'rolled-back' && error.passing) return error;
    if (error.kind !== 'refused') throw toDatabaseError(error, 'write');
    if (write.idempotency !== undefined && isRepeatedOutcome(error)) return { status: 'repeat' };
    if (isNotAdmitted(error)) return { status: 'not-admitted' };
    const refusal = refusalOf(connections.refusalCodes, error);
    if (refusal === null) throw toDatabaseError(error, 'write');
    return { status: 'refused', refusal };
  }
}

/** Why a try was not admitted; null where no reason stands any more. */
async function explain(
  connections: Connections,
  steps: WriteSteps,
  write: RowWrite,
  tried: Exclude<Tried, Settled>,
  budget: Budget,
): Promise<RowWriteResult | null> {
  const { outcomes } = steps;
  if (write.idempotency !== undefined) {
    const { key } = write.idempotency;
    const record = await connections.use((session) => outcomes.find(session, key), budget);
    if (record !== null) return { status: 'replayed', record };
    if (tried.status === 'repeat')
      await connections.use((session) => outcomes.deleteOld(session, key), budget);
  }
  if (tried.status === 'repeat') return null;
  const current = await steps.read(write.key, budget);
  if (isFencedOut(write, current.fence)) return { status: 'fenced', storedFence: current.fence };
  const refusal = refusalNow(write, tried, current);
  if (refusal !== null) return { status: 'refused', refusal };
  const { resource } = write.key;
  if (resource.epoch === undefined) return null;
  const isCurrent = await connections.use(
    (session) => outcomes.isCurrent(session, resource),
    budget,
  );
  if (!isCurrent) throw policySwitched(resource);
  return null;
}

/** For a write, or for one of several in a transaction. */
export function policySwitched({ name }: Resource, operation?: number): LockstepError {
  const text = `The policy of ${name} was switched, and this coordinator has not followed yet.`;
  if (operation === undefined) return new LockstepError('FENCED', text);
  return new LockstepError('FENCED', `Operation ${operation}: ${text}`, { details: { operation } });
}

/** Whether the key has a fence that refuses the write. */
export function isFencedOut(
  { fence, heldFences }: Pick<RowWrite, 'fence' | 'heldFences'>,
  storedFence: number,
): boolean {
  if (fence !== undefined && storedFence >= fence) return true;
  return heldFences?.includes(storedFence) === false;
}

export function refusalNow(
  { ifMatch, ifMatchTag, change }: RowWrite,
  tried: Unsettled,
  { version: currentVersion, row, tag }: VersionedRow,
): Refusal | null {
  const current = { currentVersion, ...(tag === undefined ? {} : { currentTag: tag }) };
  const isOther =
    ifMatch !== undefined && (ifMatch !== currentVersion || ifMatchTag !== tag || tag === GONE);
  // A deleted row counts as not found, whether Lockstep or another program deleted it.
  const isFound = row !== null || change.op === 'put' || ifMatch !== currentVersion;
  if (isOther && isFound) return { reason: 'version-mismatch', ...current };
  if (change.op !== 'put' && row === null) return { reason: 'not-found', currentVersion };
  if (change.op === 'put' && change.onlyCreate && row !== null) {
    return { reason: 'exists', ...current };
  }
  if (tried.status !== 'refused' || (tried.sawNoRow === true && row !== null)) return null;
  return { ...tried.refusal, currentVersion };
}
