import type { Key } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import type { togetherBindings } from './outcome-record.ts';
import type { AppliedRow, RowTransaction, RowWrite, VersionedRow } from '../port.ts';
import type { Attempt } from './write-flow.ts';
import type { Outcomes } from './outcomes.ts';

/** What `lockstep_keys` has for a key. */
export interface LockedKey {
  version: number;
  fence: number;
}

export type FencedWrite = RowTransaction['writes'][number] & { fence: number };

/** What a dialect gives to the flow. All reject with StatementFailure. */
export interface TogetherSteps {
  /** Makes and locks the keys' rows, in one order whatever the caller's is; answers in the caller's order. */
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
  /** Lets everything fire that waits for the commit. */
  settle(session: Session): Promise<void>;
  read(session: Session, key: Key): Promise<VersionedRow>;
  /** Stores an outcome; refused (`isRepeatedOutcome`) where the idempotency key has one. */
  remember(session: Session, key: Key, outcome: OutcomeBindings): Promise<void>;
  readonly outcomes: Outcomes;
}

type OutcomeBindings = ReturnType<typeof togetherBindings>;
