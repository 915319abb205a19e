import {
  type Key,
  mayCascade,
  mayRewrite,
  type NewRow,
  type Resource,
  type RowFilter,
} from '../../../domain/index.ts';
import type { Runtime } from '../../../runtime/index.ts';
import type { Budget, Connections, Session } from '../../../database/connections/connections.ts';
import {
  type RawResult,
  type RawValue,
  sendSql,
  type SentSql,
} from '../../../database/connections/driver.ts';
import type { AppliedRow, NewKey, RowWrite, VersionedRow } from '../../../database/port.ts';
import { renderSql } from '../../../database/statements/sql-text.ts';
import type { SqlBindings } from '../../../database/statements/sql.ts';
import { decodeRow } from '../../../database/values/row-text.ts';
import { pickRelated } from '../../../database/values/stored-row.ts';
import { assertVerified, type Attempt, Unverified } from '../../../database/write/attempt.ts';
import { Outcomes, refusalBindings, type RefusedWrite } from '../../../database/write/outcomes.ts';
import type {
  FencedWrite,
  InOrder,
  RowDialect,
  TransactionWrite,
} from '../../../database/write/row-dialect.ts';
import { WriteCombiner } from '../../../database/write/write-combiner.ts';
import type { PgCombinedWrite } from './combined-write.ts';
import { pgRefusalCodes } from './failure.ts';
import { nameSql, type NamedSql } from './names.ts';
import { findMatching, lockMatching } from './matching.ts';
import { makePgKey } from './new-key.ts';
import { fireDeferred, PgObservedWriter } from './observed-writer.ts';
import { pgReach } from './reach.ts';
import { isUnaddressable, pgReader } from './reader.ts';
import { PgSampling } from './sampling.ts';
import { SQL } from './sql-texts.ts';
import { statementsOf } from './statements.ts';
import { keysBindings, unaddressable, writeBindings } from './write-bindings.ts';

/** Where the row's values begin in the answer of a write. */
const ANSWER_AT = 4;

const ADD_KEYS = nameSql(SQL.keys['add-keys']);
const LOCK_KEYS = nameSql(SQL.keys['lock-keys']);
const STORE_FENCES = nameSql(SQL.keys['store-fences']);
const WAIT_FOR_COMMIT = nameSql(SQL.keys['wait-for-commit']);
const WAIT_FOR_FIRST_COMMIT = nameSql(SQL.keys['wait-for-first-commit']);
const RAISE_FENCE = nameSql(renderSql(SQL.keys['raise-fence'], { recorded: '' }));
const RAISE_FENCE_OF_REFUSED = nameSql(
  renderSql(SQL.keys['raise-fence'], { recorded: SQL.outcomes['with-refusal'] }),
);

/** Rows on PostgreSQL: a write is one autocommitted statement. */
export class PgRows implements RowDialect {
  readonly outcomes = new Outcomes(SQL, nameSql, pgRefusalCodes);
  readonly readSql = pgReader.readSql;
  readonly versionedRow = pgReader.versionedRow;
  readonly fireDeferred = fireDeferred;
  readonly #connections: Connections;
  readonly #observed: PgObservedWriter;
  readonly #combiner: WriteCombiner<PgCombinedWrite>;
  readonly #sampling: PgSampling;

  constructor(connections: Connections, { timers }: Pick<Runtime, 'timers'>) {
    this.#connections = connections;
    this.#observed = new PgObservedWriter(
      connections,
      this.outcomes,
      pgReach((session, resource, keys) => this.readMany(session, resource, keys)),
    );
    this.#sampling = new PgSampling(connections);
    this.#combiner = new WriteCombiner<PgCombinedWrite>({
      alone: (write, budget) => this.#attemptAlone(write, budget),
      together: (combined, writes) => this.#attemptTogether(combined, writes),
      groupOf: (write) =>
        write.verify === undefined && !isObserved(write)
          ? statementsOf(write.key.resource).combined(write)
          : null,
      ofOneKey: {
        attempt: (writes, budget) => this.attemptInOrder(writes, budget),
        accepts: (write) => this.goesInOrder(write),
      },
      timers,
      maxWaitMs: connections.acquireTimeoutMs,
    });
  }

  async readMany(
    session: Session,
    resource: Resource,
    keys: readonly Key[],
  ): Promise<VersionedRow[]> {
    const { readMany } = statementsOf(resource);
    const { rows } = await session.run(sendSql(readMany, keysBindings(resource, keys)));
    return keys.map((key, index) => this.versionedRow(key, rows[index] ?? []));
  }

  findMatching(
    resource: Resource,
    where: RowFilter,
    limit: number,
  ): Promise<readonly RawValue[][]> {
    return findMatching(this.#connections, resource, where, limit);
  }

  readonly lockMatching = lockMatching;

  makeKey(row: NewRow): Promise<NewKey> {
    return makePgKey(this.#connections, row);
  }

  attempt(write: RowWrite, budget: Budget): Promise<Attempt> {
    return this.#combiner.attempt(write, budget);
  }

  async raiseFence(
    key: Key,
    fence: number,
    refused: RefusedWrite | undefined,
    heldFences: readonly number[] | undefined,
  ): Promise<boolean> {
    const held_fences = heldFences ?? null;
    const bindings = { resource: key.rows, key: key.rowText, fence, held_fences };
    const { rows } =
      refused === undefined
        ? await this.#run(RAISE_FENCE, bindings)
        : await this.#run(RAISE_FENCE_OF_REFUSED, { ...bindings, ...refusalBindings(refused) });
    return rows.length > 0;
  }

  sampleKeys(resource: Resource, count: number): Promise<RawValue[][]> {
    return this.#sampling.sampleKeys(resource, count);
  }

  recentKeys(resource: Resource, count: number): Promise<RawValue[][]> {
    return this.#sampling.recentKeys(resource, count);
  }

  areObserved(writes: readonly TransactionWrite[]): boolean {
    return writes.some(
      ({ key: { resource }, change }) =>
        resource.sideEffects !== undefined || mayCascade(resource, change),
    );
  }

  make(session: Session, write: RowWrite): Promise<() => Promise<AppliedRow>> {
    return this.#observed.make(session, write);
  }

  async lockKeys(session: Session, keys: readonly Key[]): Promise<RawValue[][]> {
    const bindings = namesBindings(keys);
    await session.run(sendSql(ADD_KEYS, bindings));
    return (await session.run(sendSql(LOCK_KEYS, bindings))).rows;
  }

  async storeFences(session: Session, writes: readonly FencedWrite[]): Promise<void> {
    if (writes.length === 0) return;
    const names = namesBindings(writes.map(({ key }) => key));
    const fences = writes.map(({ fence }) => String(fence));
    await session.run(sendSql(STORE_FENCES, { ...names, fences }));
  }

  #attemptAlone(write: RowWrite, budget: Budget): Promise<Attempt> {
    if (isObserved(write)) return this.#observed.attempt(write, budget);
    if (write.verify === undefined) {
      return this.#connections.use((session) => this.attemptWithin(session, write), budget);
    }
    return this.#connections.transaction(async (session) => {
      const attempt = await this.attemptWithin(session, write);
      if (attempt.status === 'applied') await assertVerified(write);
      return attempt;
    }, budget);
  }

  goesInOrder(write: RowWrite): boolean {
    const { verify, heldFences, key } = write;
    // A pipeline sends no lists, such as the fences of a lease.
    const isPlain = verify === undefined && heldFences === undefined;
    return isPlain && !isObserved(write) && !isUnaddressable(key);
  }

  attemptInOrder(writes: readonly RowWrite[], budget: Budget): Promise<InOrder> {
    return this.#connections.use(async (session) => {
      const { results, failure } = await session.runTogether(writes.map(writeStatement));
      if (failure !== null) return { failure, at: results.length };
      return { attempts: writes.map((write, index) => attemptOf(write, results[index]?.rows[0])) };
    }, budget);
  }

  async attemptWithin(session: Session, write: RowWrite): Promise<Attempt> {
    if (isUnaddressable(write.key)) return unaddressable(write);
    const { rows } = await session.run(writeStatement(write));
    return attemptOf(write, rows[0]);
  }

  async #attemptTogether(
    combined: PgCombinedWrite,
    writes: readonly RowWrite[],
  ): Promise<(Attempt | null)[]> {
    const { rows } = await this.#run(combined.sql, combined.bindings(writes));
    return combined.attempts(writes, rows);
  }

  /** A key that was never written has no row to wait on: an insert that is taken back waits for another one's. */
  async awaitCommit(key: Key): Promise<void> {
    const bindings = { resource: key.rows, key: key.rowText };
    const { rows } = await this.#run(WAIT_FOR_COMMIT, bindings);
    if (rows.length > 0) return;
    const takenBack = new Unverified();
    const insert = this.#connections.transaction(async (session) => {
      await session.run(sendSql(WAIT_FOR_FIRST_COMMIT, bindings));
      throw takenBack;
    });
    await insert.catch((error: unknown) => {
      if (error !== takenBack) throw error;
    });
  }

  #run(sql: NamedSql, bindings: SqlBindings): Promise<RawResult> {
    return this.#connections.use((session) => session.run(sendSql(sql, bindings)));
  }
}

const namesBindings = (keys: readonly Key[]) => ({
  resources: keys.map(({ rows }) => rows),
  keys: keys.map(({ rowText }) => rowText),
});

/** Whether one statement could not return all that a write does. */
const isObserved = ({ key: { resource }, change, verify }: RowWrite): boolean =>
  mayRewrite(resource) ||
  mayCascade(resource, change) ||
  (resource.sideEffects?.isDeferred === true && verify !== undefined);

function writeStatement(write: RowWrite): SentSql {
  const statements = statementsOf(write.key.resource);
  return sendSql(statements.write(write), writeBindings(write, statements.related));
}

/** What the statement of a write answered; undefined: nothing. */
function attemptOf({ key, change }: RowWrite, values: readonly RawValue[] = []): Attempt {
  const { resource } = key;
  const { related } = statementsOf(resource);
  const [version = null, outboxId = null, created = null] = values;
  if (version === null) return { status: 'not-admitted' };
  const answered = change.op === 'delete' ? related : resource.columns;
  const row = decodeRow(answered, values, ANSWER_AT);
  const before =
    change.op === 'delete' ? row : decodeRow(related, values, ANSWER_AT + answered.length);
  return {
    status: 'applied',
    created: created === 't',
    version: Number(version),
    row: change.op === 'delete' ? null : row,
    outboxId: outboxId === null ? null : String(outboxId),
    related: {
      before: related.length > 0 && created !== 't' ? before : null,
      after: change.op === 'delete' ? null : pickRelated(related, row),
    },
  };
}
