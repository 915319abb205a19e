import type { Row } from '@lockstep/shared';
import {
  keyFromRow,
  keyFromRowText,
  type Key,
  type Resource,
  rowsName,
} from '../../domain/index.ts';
import type { Runtime } from '../../runtime/index.ts';
import type { Budget, Connections, Session } from '../connections/connections.ts';
import { type RawResult, type RawValue, type SentSql, sendSql } from '../connections/driver.ts';
import { mysqlReach } from './reach.ts';
import { digestOfRow, mysqlRowTag } from './row-tag.ts';
import { MysqlSampling } from './sampling.ts';
import { MysqlStatements, rowKeyBindings } from './statements.ts';
import { attemptMysqlWrite, finishMysqlChange, makeMysqlChange, readBack } from './write.ts';
import type { RowWrite, VersionedRow } from '../port.ts';
import { decodeRow } from '../values/row-text.ts';
import { SQL } from './sql-texts.ts';
import { compileSql } from '../statements/sql-text.ts';
import { mysqlTogetherSteps } from './together.ts';
import { Outcomes, type RefusedWrite } from '../write/outcomes.ts';
import type { RowDialect } from '../write/sql-row-store.ts';
import { assertVerified, type Attempt, isFencedOut } from '../write/write-flow.ts';

const WAIT_FOR_COMMIT = compileSql('mysql2', SQL.keys['wait-for-commit']);
const LOCK_KEY = compileSql('mysql2', SQL.keys['lock-key']);
const RAISE_FENCE = compileSql('mysql2', SQL.keys['raise-fence']);
const READ_VERSIONS = compileSql('mysql2', SQL.keys['read-versions']);

/** Rows on MySQL and MariaDB: a write is one short READ COMMITTED transaction that takes the key's row first. */
export class MysqlRows implements RowDialect {
  readonly outcomes = new Outcomes({
    find: compileSql('mysql2', SQL.outcomes.find),
    deleteOld: compileSql('mysql2', SQL.outcomes['delete-old']),
    addRefusal: compileSql('mysql2', SQL.outcomes['add-refusal']),
    prune: compileSql('mysql2', SQL.outcomes.prune),
    readPolicyEpoch: compileSql('mysql2', SQL.keys['read-policy-epoch']),
  });
  readonly together: RowDialect['together'];
  readonly versionedRow = versionedRow;
  readonly #connections: Connections;
  readonly #statements = new WeakMap<Resource, MysqlStatements>();
  readonly #reach = mysqlReach(async (session, resource, keys) => {
    const { rows } = await session.run(this.#of(resource).rows(keys));
    const byKey = rowsByKey(resource, rows);
    return keys.map(({ text }) => byKey.get(text)?.row ?? null);
  });
  readonly #sampling: MysqlSampling;

  constructor(connections: Connections, runtime: Pick<Runtime, 'log' | 'random'>) {
    this.#connections = connections;
    this.#sampling = new MysqlSampling(
      (sql) => connections.use((session) => session.run(sql)),
      runtime.random,
    );
    this.together = mysqlTogetherSteps({
      attempt: (session, write) => this.#attempt(session, write),
      make: async (session, write) => {
        const statements = this.#of(write.key.resource);
        const made = await makeMysqlChange(session, statements, write, this.#reach);
        return async () => {
          const left = await readBack(session, statements, write.key);
          return finishMysqlChange(session, statements, write, { ...made, ...left });
        };
      },
      read: async (session, key) =>
        versionedRow(key, (await session.run(this.readSql(key))).rows[0] ?? []),
    });
  }

  readSql(key: Key): SentSql {
    return sendSql(this.#of(key.resource).read, rowKeyBindings(key));
  }

  attempt(write: RowWrite, budget: Budget): Promise<Attempt> {
    return this.#connections.transaction(async (session) => {
      const attempt = await this.#attempt(session, write);
      await assertVerified(write);
      return attempt;
    }, budget);
  }

  async awaitCommit(key: Key): Promise<void> {
    await this.#connections.use((session) =>
      session.run(sendSql(WAIT_FOR_COMMIT, rowKeyBindings(key))),
    );
  }

  /** Both tables in one snapshot. */
  async readMany(
    session: Session,
    resource: Resource,
    keys: readonly Key[],
  ): Promise<VersionedRow[]> {
    const statements = this.#of(resource);
    const bindings = { resource: rowsName(resource), keys: keys.map((key) => key.rowText) };
    const [versions, rows] = await inSnapshot(session, async () => [
      await session.run(sendSql(READ_VERSIONS, bindings)),
      await session.run(statements.rows(keys)),
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

  #of(resource: Resource): MysqlStatements {
    let statements = this.#statements.get(resource);
    if (statements === undefined) {
      statements = new MysqlStatements(resource);
      this.#statements.set(resource, statements);
    }
    return statements;
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
