import { type Key, mayCascade, mayRewrite, type Resource } from '../../domain/index.ts';
import type { Runtime } from '../../runtime/index.ts';
import type { Budget, Connections, Session } from '../connections/connections.ts';
import { type RawResult, type SentSql, sendSql } from '../connections/driver.ts';
import { recordBindings } from '../write/outcome-record.ts';
import type { PgCombinedWrite } from './combined-write.ts';
import { nameSql, type NamedSql } from './names.ts';
import { isUnaddressable, unaddressable } from './padded-key.ts';
import { PgObservedWriter } from './observed-writer.ts';
import { pgReach } from './reach.ts';
import { PgSampling } from './sampling.ts';
import { PgStatements } from './statements.ts';
import { pgTogetherSteps } from './together.ts';
import { versionedRow } from './versioned-row.ts';
import { keyBindings, keysBindings, writeBindings } from './write-bindings.ts';
import type { RowWrite, VersionedRow } from '../port.ts';
import { decodeRow } from '../values/row-text.ts';
import { SQL } from './sql-texts.ts';
import { renderSql } from '../statements/sql-text.ts';
import type { SqlBindings } from '../statements/sql.ts';
import { pickRelated } from '../values/stored-row.ts';
import { Outcomes, type RefusedWrite } from '../write/outcomes.ts';
import type { RowDialect } from '../write/sql-row-store.ts';
import { WriteCombiner } from '../write/write-combiner.ts';
import { assertVerified, Unverified, type Attempt } from '../write/write-flow.ts';

/** Where the row's values begin in the answer of a write. */
const ANSWER_AT = 4;

/** Rows on PostgreSQL: a write is one autocommitted statement. */
export class PgRows implements RowDialect {
  readonly outcomes = new Outcomes({
    find: nameSql(SQL.outcomes.find),
    deleteOld: nameSql(SQL.outcomes['delete-old']),
    addRefusal: nameSql(SQL.outcomes['add-refusal']),
    prune: nameSql(SQL.outcomes.prune),
    readPolicyEpoch: nameSql(SQL.keys['read-policy-epoch']),
  });
  readonly together: RowDialect['together'];
  readonly versionedRow = versionedRow;
  readonly #connections: Connections;
  readonly #statements = new WeakMap<Resource, PgStatements>();
  readonly #observed: PgObservedWriter;
  readonly #combiner: WriteCombiner<PgCombinedWrite>;
  readonly #sampling: PgSampling;
  readonly #raise = nameSql(renderSql(SQL.keys['raise-fence'], { recorded: '' }));
  readonly #raiseRecording = nameSql(
    renderSql(SQL.keys['raise-fence'], { recorded: SQL.outcomes['with-refusal'] }),
  );
  readonly #awaitWriter = nameSql(SQL.keys['wait-for-commit']);
  readonly #awaitFirstWriter = nameSql(SQL.keys['wait-for-first-commit']);

  constructor(connections: Connections, runtime: Pick<Runtime, 'log' | 'timers'>) {
    this.#connections = connections;
    this.#observed = new PgObservedWriter(
      connections,
      pgReach((session, resource, keys) => this.readMany(session, resource, keys)),
      (session, key) => this.#readOn(session, key),
    );
    this.#sampling = new PgSampling((sql) => connections.use((session) => session.run(sql)));
    this.#combiner = new WriteCombiner<PgCombinedWrite>(
      {
        alone: (write, budget) => this.#attemptAlone(write, budget),
        together: (combined, writes) => this.#attemptTogether(combined, writes),
        groupOf: (write) =>
          write.verify === undefined && !isObserved(write)
            ? this.#of(write.key.resource).combined(write)
            : null,
      },
      runtime.timers,
      connections.acquireTimeoutMs,
    );
    this.together = pgTogetherSteps({
      attempt: (session, write) => this.#attempt(session, write),
      make: (session, write) => this.#observed.make(session, write),
      read: (session, key) => this.#readOn(session, key),
    });
  }

  readSql(key: Key): SentSql {
    return sendSql(this.#of(key.resource).read, keyBindings(key));
  }

  async readMany(
    session: Session,
    resource: Resource,
    keys: readonly Key[],
  ): Promise<VersionedRow[]> {
    const { readMany } = this.#of(resource);
    const { rows } = await session.run(sendSql(readMany, keysBindings(resource, keys)));
    return keys.map((key, index) => versionedRow(key, rows[index] ?? []));
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
        ? await this.#run(this.#raise, bindings)
        : await this.#run(this.#raiseRecording, { ...bindings, ...recordBindings(refused) });
    return rows.length > 0;
  }

  sampleKeys(resource: Resource, count: number): Promise<Key[]> {
    return this.#sampling.sampleKeys(resource, this.#of(resource), count);
  }

  recentKeys(resource: Resource, count: number): Promise<Key[]> {
    return this.#sampling.recentKeys(resource, count);
  }

  #attemptAlone(write: RowWrite, budget: Budget): Promise<Attempt> {
    if (isObserved(write)) return this.#observed.attempt(write, budget);
    if (write.verify === undefined) {
      return this.#connections.use((session) => this.#attempt(session, write), budget);
    }
    return this.#connections.transaction(async (session) => {
      const attempt = await this.#attempt(session, write);
      if (attempt.status === 'applied') await assertVerified(write);
      return attempt;
    }, budget);
  }

  async #attempt(session: Session, write: RowWrite): Promise<Attempt> {
    const { key, change } = write;
    const { resource } = key;
    if (isUnaddressable(key)) return unaddressable(write);
    const statements = this.#of(resource);
    const { related } = statements;
    const sql = statements.write(write);
    const { rows } = await session.run(sendSql(sql, writeBindings(write, related)));
    const values = rows[0] ?? [];
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

  async #attemptTogether(
    combined: PgCombinedWrite,
    writes: readonly RowWrite[],
  ): Promise<(Attempt | null)[]> {
    const { rows } = await this.#run(combined.sql, combined.bindings(writes));
    const attempts = Array.from({ length: writes.length }, (): Attempt | null => null);
    for (const values of rows) {
      const [place = null, version, outboxId = null] = values;
      const write = place === null ? undefined : writes[Number(place)];
      if (write === undefined) continue;
      attempts[Number(place)] = {
        status: 'applied',
        created: false,
        version: Number(version),
        row: decodeRow(write.key.resource.columns, values, ANSWER_AT),
        outboxId: outboxId === null ? null : String(outboxId),
        related: { before: null, after: null },
      };
    }
    return attempts;
  }

  /** A key that was never written has no row to wait on: an insert that is taken back waits for another one's. */
  async awaitCommit(key: Key): Promise<void> {
    const bindings = { resource: key.rows, key: key.rowText };
    const { rows } = await this.#run(this.#awaitWriter, bindings);
    if (rows.length > 0) return;
    const takenBack = new Unverified();
    const insert = this.#connections.transaction(async (session) => {
      await session.run(sendSql(this.#awaitFirstWriter, bindings));
      throw takenBack;
    });
    await insert.catch((error: unknown) => {
      if (error !== takenBack) throw error;
    });
  }

  async #readOn(session: Session, key: Key): Promise<VersionedRow> {
    const { rows } = await session.run(sendSql(this.#of(key.resource).read, keyBindings(key)));
    return versionedRow(key, rows[0] ?? []);
  }

  #of(resource: Resource): PgStatements {
    let statements = this.#statements.get(resource);
    if (statements === undefined) {
      statements = new PgStatements(resource);
      this.#statements.set(resource, statements);
    }
    return statements;
  }

  #run(sql: NamedSql, bindings: SqlBindings): Promise<RawResult> {
    return this.#connections.use((session) => session.run(sendSql(sql, bindings)));
  }
}

/** Whether one statement could not return all that a write does. */
const isObserved = ({ key: { resource }, change, verify }: RowWrite): boolean =>
  mayRewrite(resource) ||
  mayCascade(resource, change) ||
  (resource.sideEffects?.isDeferred === true && verify !== undefined);
