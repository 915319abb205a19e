import type { Idempotency, Key, Resource } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { sendSql } from '../connections/driver.ts';
import type { IdempotencyRecord, Refusal } from '../port.ts';
import type { CompiledSql } from '../statements/sql-text.ts';
import { decodeOutcome, recordBindings } from './outcome-record.ts';

/** The texts of a dialect, compiled as it sends them. */
export interface OutcomeStatements {
  find: CompiledSql;
  deleteOld: CompiledSql;
  addRefusal: CompiledSql;
  prune: CompiledSql;
  readPolicyEpoch: CompiledSql;
}

/** A refused write with its idempotency key; `index`: which one of a transaction it was. */
export interface RefusedWrite {
  idempotency: Idempotency;
  refusal: Refusal;
  index?: number;
}

/** The outcomes of idempotency keys, which count for 24 hours. All reject with StatementFailure. */
export class Outcomes {
  readonly #sql: OutcomeStatements;

  constructor(statements: OutcomeStatements) {
    this.#sql = statements;
  }

  async find(session: Session, idempotency_key: string): Promise<IdempotencyRecord | null> {
    const { rows } = await session.run(sendSql(this.#sql.find, { idempotency_key }));
    return rows[0] === undefined ? null : decodeOutcome(rows[0]);
  }

  /** Removes the outcome of an idempotency key that is older than 24 hours. */
  async deleteOld(session: Session, idempotency_key: string): Promise<void> {
    await session.run(sendSql(this.#sql.deleteOld, { idempotency_key }));
  }

  async addRefusal(session: Session, key: Key, refused: RefusedWrite): Promise<void> {
    const bindings = { resource: key.rows, key: key.rowText, ...recordBindings(refused) };
    await session.run(sendSql(this.#sql.addRefusal, bindings));
  }

  /** @returns how many were removed */
  async prune(session: Session, limit: number): Promise<number> {
    return (await session.run(sendSql(this.#sql.prune, { limit }))).affected;
  }

  /** Whether the resource's epoch is still the database's. */
  async isCurrent(session: Session, { name, epoch }: Resource): Promise<boolean> {
    const { rows } = await session.run(sendSql(this.#sql.readPolicyEpoch, { resource: name }));
    return Number(rows[0]?.[0]) === epoch;
  }
}
