import type { Row } from '@lockstep/shared';
import {
  isFencedOut,
  keyFromRow,
  type Key,
  type NewRow,
  type Resource,
  type RowFilter,
  rowsName,
} from '../../../domain/index.ts';
import type { Runtime } from '../../../runtime/index.ts';
import type { Budget, Connections, Session } from '../../../database/connections/connections.ts';
import { type RawValue, sendSql } from '../../../database/connections/driver.ts';
import { readOnly } from '../../../database/connections/read-only.ts';
import type { AppliedRow, NewKey, RowWrite, VersionedRow } from '../../../database/port.ts';
import { compileSql, renderSql } from '../../../database/statements/sql-text.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';
import { decodeRow } from '../../../database/values/row-text.ts';
import type { Attempt } from '../../../database/write/attempt.ts';
import { Outcomes, type RefusedWrite } from '../../../database/write/outcomes.ts';
import type { FencedWrite, InOrder, RowDialect } from '../../../database/write/row-dialect.ts';
import { WriteCombiner } from '../../../database/write/write-combiner.ts';
import { attemptTogether } from './combined-write.ts';
import { mysqlRefusalCodes } from './failure.ts';
import { mayPassAlone } from './finish-writes.ts';
import { findMatching, lockMatching } from './matching.ts';
import { makeMysqlKey } from './new-key.ts';
import { MysqlOrderedWrite } from './ordered-write.ts';
import { mysqlReach } from './reach.ts';
import { mysqlReader, versioned } from './reader.ts';
import { digestOfRow } from './row-tag.ts';
import { MysqlSampling } from './sampling.ts';
import { SQL } from './sql-texts.ts';
import { type MysqlStatements, statementsOf } from './statements.ts';
import { BEGIN_SNAPSHOT } from './table-rows.ts';
import { mysqlKeyBindings } from './values.ts';
import {
  attemptAtOnce,
  attemptMysqlWrite,
  finishMysqlChange,
  isAlone,
  isUnclear,
  makeMysqlChange,
  readBack,
} from './write.ts';
import { MYSQL } from '../spelling.ts';

const compile = (sql: string) => compileSql(MYSQL, sql);

const WAIT_FOR_COMMIT = compile(SQL.keys['wait-for-commit']);
const LOCK_KEY = compile(SQL.keys['lock-key']);
const LOCK_POLICY = compile(SQL.keys['lock-policy']);
const RAISE_FENCE = compile(SQL.keys['raise-fence']);
const READ_VERSIONS = compile(SQL.keys['read-versions']);
const STORE_FENCE = compile(SQL.keys['store-fence']);

/** Rows on MySQL and MariaDB: a write is one short READ COMMITTED transaction that takes the key's row first. */
export class MysqlRows implements RowDialect {
  readonly outcomes = new Outcomes(SQL, compile, mysqlRefusalCodes);
  readonly readSql = mysqlReader.readSql;
  readonly versionedRow = mysqlReader.versionedRow;
  readonly #connections: Connections;
  readonly #reach = mysqlReach(async (session, resource, keys) => {
    const { rows } = await session.run(statementsOf(resource).rows(keys));
    const byKey = rowsByKey(resource, rows);
    return keys.map(({ text }) => byKey.get(text)?.row ?? null);
  });
  readonly #sampling: MysqlSampling;

  readonly #combiner: WriteCombiner<MysqlStatements>;

  constructor(connections: Connections, { random, timers }: Pick<Runtime, 'random' | 'timers'>) {
    this.#connections = connections;
    this.#combiner = new WriteCombiner<MysqlStatements>({
      alone: (write, budget) => this.#attemptAlone(write, budget),
      together: ({ resource }, writes) =>
        connections.transaction((session) =>
          attemptTogether(session, resource, writes, this.outcomes),
        ),
      groupOf: (write) =>
        write.verify === undefined && isAlone(write) ? statementsOf(write.key.resource) : null,
      ofOneKey: {
        attempt: (writes, budget) => this.attemptInOrder(writes, budget),
        accepts: (write) => this.goesInOrder(write),
      },
      timers,
      maxWaitMs: connections.acquireTimeoutMs,
    });
    this.#sampling = new MysqlSampling(connections, random);
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
    return makeMysqlKey(this.#connections, row);
  }

  attempt(write: RowWrite, budget: Budget): Promise<Attempt> {
    return this.#combiner.attempt(write, budget);
  }

  async #attemptAlone(write: RowWrite, budget: Budget): Promise<Attempt> {
    if (!isAlone(write)) return this.#attemptInSteps(write, budget);
    try {
      return await this.#connections.transaction(
        (session) => attemptAtOnce(session, write, this.outcomes),
        budget,
      );
    } catch (error) {
      if (!isUnclear(write, error)) throw error;
      return this.#attemptInSteps(write, budget);
    }
  }

  #attemptInSteps(write: RowWrite, budget: Budget): Promise<Attempt> {
    return this.#connections.transaction(
      (session) => attemptMysqlWrite(session, write, this.#reach, this.outcomes, { isLast: true }),
      budget,
    );
  }

  /** Not where resources share the row: each sees other columns of it. */
  goesInOrder(write: RowWrite): boolean {
    const { verify, heldFences, key } = write;
    const isPlain = verify === undefined && heldFences === undefined;
    return isPlain && isAlone(write) && key.resource.shared === undefined;
  }

  async attemptInOrder(writes: readonly RowWrite[], budget: Budget): Promise<InOrder> {
    const [first, ...rest] = writes;
    if (first === undefined) return { attempts: [] };
    // The tables were described anew meanwhile.
    const { resource } = first.key;
    if (rest.some(({ key }) => key.resource !== resource))
      return { failure: mayPassAlone(), at: 0 };
    const ordered = new MysqlOrderedWrite([first, ...rest], this.outcomes);
    return ordered.attempt(this.#connections, budget);
  }

  attemptWithin(session: Session, write: RowWrite): Promise<Attempt> {
    return attemptMysqlWrite(session, write, this.#reach, this.outcomes);
  }

  /** It costs nothing more here, and not every account may see what triggers there are. */
  areObserved(): boolean {
    return true;
  }

  async make(session: Session, write: RowWrite): Promise<() => Promise<AppliedRow>> {
    const made = await makeMysqlChange(session, write, this.#reach);
    return async () => {
      const left = await readBack(session, write.key);
      return finishMysqlChange(session, write, { ...made, ...left }, this.outcomes);
    };
  }

  /** Nothing waits for the commit. */
  fireDeferred(): Promise<void> {
    return Promise.resolve();
  }

  async awaitCommit(key: Key): Promise<void> {
    await this.#connections.use((session) =>
      session.run(sendSql(WAIT_FOR_COMMIT, mysqlKeyBindings(key))),
    );
  }

  /** Both tables in one snapshot. */
  async readMany(
    session: Session,
    resource: Resource,
    keys: readonly Key[],
  ): Promise<VersionedRow[]> {
    const bindings = { resource: rowsName(resource), keys: keys.map((key) => key.rowText) };
    const [versions, rows] = await readOnly(session, BEGIN_SNAPSHOT, async () => [
      await session.run(sendSql(READ_VERSIONS, bindings)),
      await session.run(statementsOf(resource).rows(keys)),
    ]);
    const versionOf = new Map(versions?.rows.map(([key, ...rest]) => [String(key), rest]));
    const rowOf = rowsByKey(resource, rows?.rows ?? []);
    return keys.map(({ text, rowText }) => {
      const found = rowOf.get(text);
      return versioned(versionOf.get(rowText) ?? [], found?.row ?? null, found?.digest ?? null);
    });
  }

  raiseFence(
    key: Key,
    fence: number,
    refused: RefusedWrite | undefined,
    heldFences: readonly number[] | undefined,
  ): Promise<boolean> {
    const bindings = { resource: key.rows, key: key.rowText, fence };
    return this.#connections.transaction(async (session) => {
      const { rows } = await session.run(sendSql(LOCK_KEY, bindings));
      if (rows[0] !== undefined) {
        const held = heldFences === undefined ? { fence } : { fence, heldFences };
        if (isFencedOut(held, Number(rows[0][1]))) return false;
      }
      await session.run(sendSql(RAISE_FENCE, bindings));
      if (refused !== undefined) await this.outcomes.addRefusal(session, key, refused);
      return true;
    });
  }

  async lockKeys(session: Session, keys: readonly Key[]): Promise<RawValue[][]> {
    await lockPolicies(session, keys);
    const sorted = [...keys].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
    const bindings: Record<string, SqlValue> = {};
    for (const [index, { rows, rowText }] of sorted.entries()) {
      bindings[`resource_${index}`] = rows;
      bindings[`key_${index}`] = rowText;
    }
    const names = sorted.map((_, index) => `:resource_${index}, :key_${index}`);
    const added = names.map((name) => `(${name}, 0, 0, now(6))`).join(', ');
    const adding = renderSql(SQL.keys['add-keys'], { keys: added });
    await session.run(sendSql(compile(adding), bindings));
    const locked = names.map((name) => `(${name})`).join(', ');
    const locking = renderSql(SQL.keys['lock-keys'], { keys: locked });
    return (await session.run(sendSql(compile(locking), bindings))).rows;
  }

  async storeFences(session: Session, writes: readonly FencedWrite[]): Promise<void> {
    for (const { key, fence } of writes)
      await session.run(sendSql(STORE_FENCE, { ...mysqlKeyBindings(key), fence }));
  }

  sampleKeys(resource: Resource, count: number): Promise<RawValue[][]> {
    return this.#sampling.sampleKeys(resource, count);
  }

  recentKeys(resource: Resource, count: number): Promise<RawValue[][]> {
    return this.#sampling.recentKeys(resource, count);
  }
}

const nameOf = ({ rows, rowText }: Key): string => `${rows}/${rowText}`;

/**
 * Locks the policies of several resources in the order in which a switch locks them, so that neither waits crosswise for
 * the other. The write itself holds the policy where there is only one resource.
 */
async function lockPolicies(session: Session, keys: readonly Key[]): Promise<void> {
  const epochs = new Map(keys.map(({ resource: { name, epoch } }) => [name, epoch]));
  if (epochs.size === 1) return;
  for (const [name, epoch] of [...epochs].sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (epoch !== undefined) await session.run(sendSql(LOCK_POLICY, { name, epoch }));
  }
}

function rowsByKey(
  resource: Resource,
  found: readonly RawValue[][],
): Map<string, { row: Row; digest: Buffer }> {
  const rows = new Map<string, { row: Row; digest: Buffer }>();
  for (const values of found) {
    const row = decodeRow(resource.columns, values);
    const digest = digestOfRow(resource, values);
    rows.set(keyFromRow(resource, row)?.text ?? '', { row, digest });
  }
  return rows;
}
