import type { Row } from '@lockstep/shared';
import {
  keyFromRow,
  keyFromRowText,
  type Idempotency,
  type Key,
  type Resource,
  rowsName,
} from '../../domain/index.ts';
import type { Runtime } from '../../runtime/index.ts';
import type { Budget, Connections, Session } from '../connections/connections.ts';
import type { RawResult, RawValue } from '../connections/driver.ts';
import { mysqlReach } from './reach.ts';
import { digestOfRow, mysqlRowTag } from './row-tag.ts';
import { MysqlSampling } from './sampling.ts';
import { MysqlStatements, rowKeyBindings, sendMysql } from './statements.ts';
import { attemptMysqlWrite, finishMysqlChange, makeMysqlChange, readBack } from './write.ts';
import { noSuchRow, readEach } from '../write/unheld-key.ts';
import { decodeOutcome, recordBindings } from '../write/outcome-record.ts';
import type {
  IdempotencyRecord,
  Refusal,
  RowStore,
  RowTransaction,
  RowWrite,
  VersionedRow,
} from '../port.ts';
import { decodeRow } from '../values/row-text.ts';
import { SQL } from './sql-texts.ts';
import { compileSql, type CompiledSql } from '../statements/sql-text.ts';
import type { SqlBindings } from '../statements/sql.ts';
import { isRepeatedOutcome, toDatabaseError } from '../connections/statement-failure.ts';
import { mysqlTogetherSteps } from './together.ts';
import { carryOutTogether } from '../write/together-flow.ts';
import type { TogetherSteps } from '../write/together-steps.ts';
import {
  assertVerified,
  type Attempt,
  carryOut,
  isFencedOut,
  type WriteSteps,
} from '../write/write-flow.ts';

const AWAIT_COMMIT = compileSql('mysql2', SQL.keys['wait-for-commit']);
const FIND_OUTCOME = compileSql('mysql2', SQL.outcomes.find);
const FORGET_OUTCOME = compileSql('mysql2', SQL.outcomes['delete-old']);
const LOCK_KEY = compileSql('mysql2', SQL.keys['lock-key']);
const POLICY_EPOCH = compileSql('mysql2', SQL.keys['read-policy-epoch']);
const PRUNE_OUTCOMES = compileSql('mysql2', SQL.outcomes.prune);
const RAISE_FENCE = compileSql('mysql2', SQL.keys['raise-fence']);
const READ_VERSIONS = compileSql('mysql2', SQL.keys['read-versions']);
const RECORD_REFUSAL = compileSql('mysql2', SQL.outcomes['add-refusal']);

/** The row store on MySQL and MariaDB: a write is one short READ COMMITTED transaction that takes the key's row first. */
export class MysqlRowStore implements RowStore {
  readonly #connections: Connections;
  readonly #statements = new WeakMap<Resource, MysqlStatements>();
  readonly #reach = mysqlReach(async (session, resource, keys) => {
    const { rows } = await session.run(this.#of(resource).rows(keys));
    const byKey = rowsByKey(resource, rows);
    return keys.map(({ text }) => byKey.get(text)?.row ?? null);
  });
  readonly #steps: WriteSteps;
  readonly #togetherSteps: TogetherSteps;
  readonly #sampling: MysqlSampling;

  constructor(connections: Connections, runtime: Pick<Runtime, 'log' | 'random'>) {
    this.#connections = connections;
    this.#sampling = new MysqlSampling(
      (sql) =>
        this.#guard(
          'read',
          connections.use((session) => session.run(sql)),
        ),
      runtime.random,
    );
    this.#steps = {
      attempt: (write, budget) =>
        connections.transaction(async (session) => {
          const attempt = await this.#attempt(session, write);
          await assertVerified(write);
          return attempt;
        }, budget),
      read: (key, budget) => this.#read(key, budget),
      findOutcome: (idempotencyKey, budget) => this.#find(idempotencyKey, budget),
      forgetOutcome: async (idempotencyKey, budget) => {
        await this.#run(FORGET_OUTCOME, { idempotency_key: idempotencyKey }, budget);
      },
      isCurrent: async ({ name, epoch }, budget) => {
        const { rows } = await this.#run(POLICY_EPOCH, { resource: name }, budget);
        return Number(rows[0]?.[0]) === epoch;
      },
      isRepeat: isRepeatedOutcome,
    };
    this.#togetherSteps = mysqlTogetherSteps({
      attempt: (session, write) => this.#attempt(session, write),
      make: async (session, write) => {
        const statements = this.#of(write.key.resource);
        const made = await makeMysqlChange(session, statements, write, this.#reach);
        return async () => {
          const left = await readBack(session, statements, write.key);
          return finishMysqlChange(session, statements, write, { ...made, ...left });
        };
      },
      read: async (session, key) => {
        const sql = sendMysql(this.#of(key.resource).read, rowKeyBindings(key));
        return versionedRow(key, (await session.run(sql)).rows[0] ?? []);
      },
    });
  }

  writeTogether(transaction: RowTransaction): ReturnType<RowStore['writeTogether']> {
    return carryOutTogether(this.#connections, this.#togetherSteps, transaction);
  }

  async read(key: Key, { settled = false } = {}): Promise<VersionedRow> {
    if (settled) await this.#guard('read', this.#run(AWAIT_COMMIT, rowKeyBindings(key)));
    return this.#guard('read', this.#read(key));
  }

  async readMany(resource: Resource, keys: readonly Key[]): Promise<VersionedRow[]> {
    if (keys.length === 0) return [];
    const reading = this.#readMany(resource, keys);
    return this.#guard(
      'read',
      reading.catch((error: unknown) => readEach(keys, error, (key) => this.#read(key))),
    );
  }

  /** Both tables in one snapshot. */
  async #readMany(resource: Resource, keys: readonly Key[]): Promise<VersionedRow[]> {
    const statements = this.#of(resource);
    const bindings = { resource: rowsName(resource), keys: keys.map((key) => key.rowText) };
    const [versions, rows] = await this.#connections.use((session) =>
      inSnapshot(session, async () => [
        await session.run(sendMysql(READ_VERSIONS, bindings)),
        await session.run(statements.rows(keys)),
      ]),
    );
    const versionOf = new Map(versions?.rows.map(([key, ...rest]) => [String(key), rest]));
    const rowOf = rowsByKey(resource, rows?.rows ?? []);
    return keys.map(({ text, rowText }) => {
      const found = rowOf.get(text);
      return versioned(versionOf.get(rowText) ?? [], found?.row ?? null, found?.digest ?? null);
    });
  }

  write(write: RowWrite): ReturnType<RowStore['write']> {
    return carryOut(this.#connections, this.#steps, write);
  }

  async raiseFence(
    key: Key,
    fence: number,
    refused?: { idempotency: Idempotency; refusal: Refusal },
    heldFences?: readonly number[],
  ): ReturnType<RowStore['raiseFence']> {
    const bindings = { resource: key.rows, key: key.rowText, fence };
    const raised = await this.#guard(
      'write',
      this.#connections.transaction(async (session) => {
        const { rows } = await session.run(sendMysql(LOCK_KEY, bindings));
        if (rows[0] !== undefined) {
          const turn = heldFences === undefined ? { fence } : { fence, heldFences };
          if (isFencedOut(turn, Number(rows[0][1]))) return false;
        }
        await session.run(sendMysql(RAISE_FENCE, bindings));
        if (refused !== undefined) {
          await session.run(sendMysql(RECORD_REFUSAL, { ...bindings, ...recordBindings(refused) }));
        }
        return true;
      }),
    );
    const row = await this.read(key);
    return raised ? { status: 'raised', row } : { status: 'fenced', storedFence: row.fence };
  }

  async recordRefusal(key: Key, idempotency: Idempotency, refusal: Refusal): Promise<void> {
    const bindings = { resource: key.rows, key: key.rowText };
    const record = recordBindings({ idempotency, refusal });
    await this.#guard('write', this.#run(RECORD_REFUSAL, { ...bindings, ...record }));
  }

  findOutcome(idempotencyKey: string): Promise<IdempotencyRecord | null> {
    return this.#guard('read', this.#find(idempotencyKey));
  }

  async pruneOutcomes(limit: number): Promise<number> {
    return (await this.#guard('write', this.#run(PRUNE_OUTCOMES, { limit }))).affected;
  }

  sampleKeys(resource: Resource, count: number): Promise<Key[]> {
    return this.#sampling.sample(resource, this.#of(resource), count);
  }

  async recentKeys(resource: Resource, count: number): Promise<Key[]> {
    const texts = await this.#sampling.recent(resource, count);
    return texts.map((text) => keyFromRowText(resource, text));
  }

  #attempt(session: Session, write: RowWrite): Promise<Attempt> {
    return attemptMysqlWrite(session, this.#of(write.key.resource), write, this.#reach);
  }

  async #read(key: Key, budget?: Budget): Promise<VersionedRow> {
    try {
      const { rows } = await this.#run(this.#of(key.resource).read, rowKeyBindings(key), budget);
      return versionedRow(key, rows[0] ?? []);
    } catch (error) {
      return noSuchRow(key, error);
    }
  }

  async #find(idempotencyKey: string, budget?: Budget): Promise<IdempotencyRecord | null> {
    const { rows } = await this.#run(FIND_OUTCOME, { idempotency_key: idempotencyKey }, budget);
    return rows[0] === undefined ? null : decodeOutcome(rows[0]);
  }

  #of(resource: Resource): MysqlStatements {
    let statements = this.#statements.get(resource);
    if (statements === undefined) {
      statements = new MysqlStatements(resource);
      this.#statements.set(resource, statements);
    }
    return statements;
  }

  #run(sql: CompiledSql, bindings: SqlBindings, budget?: Budget): Promise<RawResult> {
    return this.#connections.use((session) => session.run(sendMysql(sql, bindings)), budget);
  }

  async #guard<T>(sent: 'read' | 'write', result: Promise<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      throw toDatabaseError(error, sent);
    }
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

/** Reads within one snapshot. Where it fails the transaction ends with its rollback or its connection. */
async function inSnapshot<T>(session: Session, read: () => Promise<T>): Promise<T> {
  const run = (text: string): Promise<RawResult> => session.run({ text, values: [] });
  await run('set transaction isolation level repeatable read');
  await run('start transaction with consistent snapshot, read only');
  try {
    return await read();
  } finally {
    await run('rollback');
  }
}

/** Where the row's values begin in the answer of a read. */
const ROW_AT = 4;

/**
 * From the columns version, fence, digest, whether there is a row, and the row; another spelling of the key is another
 * key.
 */
export function versionedRow(key: Key, values: readonly RawValue[]): VersionedRow {
  const { resource } = key;
  const [version = null, fence = null, stored = null, present = null] = values;
  const row = String(present) === '1' ? decodeRow(resource.columns, values, ROW_AT) : null;
  const isAsked = row !== null && keyFromRow(resource, row)?.text === key.text;
  const digest = isAsked ? digestOfRow(resource, values, ROW_AT) : null;
  return versioned([version, fence, stored], isAsked ? row : null, digest);
}

/** From the columns version, fence and digest of the key's row of `lockstep_keys`, and the row itself. */
function versioned(
  [stored = null, fence = null, storedDigest = null]: readonly RawValue[],
  row: Row | null,
  digest: Buffer | null,
): VersionedRow {
  const version = Number(stored ?? 0);
  const tag = mysqlRowTag(version, storedDigest, digest);
  const read: VersionedRow = { version, fence: Number(fence ?? 0), row };
  return tag === undefined ? read : { ...read, tag };
}
