import { jsonText, parseJson } from '@lockstep/shared';
import type { Idempotency, Key, Resource } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { type RawValue, sendSql, type SentSql } from '../connections/driver.ts';
import type { RefusalCodes } from '../connections/refusals.ts';
import { StatementFailure } from '../connections/statement-failure.ts';
import type { AppliedRow, IdempotencyRecord, Refusal, RowWrite, WriteOutcome } from '../port.ts';
import type { CompiledSql } from '../statements/sql-text.ts';
import type { SqlValue } from '../statements/sql.ts';
import { readStoredRow, type StoredColumns, type StoredRow } from '../values/stored-row.ts';

/** A refused write with its idempotency key; `index`: which one of a transaction it was. */
export interface RefusedWrite {
  idempotency: Idempotency;
  refusal: Refusal;
  index?: number;
}

/** An outcome with its row in canonical form. */
type Outcome = IdempotencyRecord['result'];
type Applied = { status: 'applied' } & WriteOutcome;
/** What an outcome keeps of an applied write. */
type KeptWrite = Pick<AppliedRow, 'created' | 'version' | 'row'>;

/** `lockstep_idempotency.result`. */
type StoredOutcome =
  Exclude<Outcome, Applied> | (Omit<Applied, 'row'> & { row: StoredRow; columns?: StoredColumns });

/** The texts of a dialect. */
export interface OutcomesOptions {
  outcomes: Readonly<Record<'find' | 'delete-old' | 'add' | 'add-refusal' | 'prune', string>>;
  keys: Readonly<Record<'read-policy-epoch', string>>;
}

/** The outcomes of idempotency keys, which count for 24 hours. All reject with StatementFailure. */
export class Outcomes {
  readonly #sql: Readonly<
    Record<'find' | 'deleteOld' | 'add' | 'addRefusal' | 'prune' | 'readPolicyEpoch', CompiledSql>
  >;
  readonly #codes: RefusalCodes;

  constructor(
    { outcomes, keys }: OutcomesOptions,
    compile: (sql: string) => CompiledSql,
    codes: RefusalCodes,
  ) {
    this.#sql = {
      find: compile(outcomes.find),
      deleteOld: compile(outcomes['delete-old']),
      add: compile(outcomes.add),
      addRefusal: compile(outcomes['add-refusal']),
      prune: compile(outcomes.prune),
      readPolicyEpoch: compile(keys['read-policy-epoch']),
    };
    this.#codes = codes;
  }

  async find(session: Session, idempotency_key: string): Promise<IdempotencyRecord | null> {
    const { rows } = await session.run(sendSql(this.#sql.find, { idempotency_key }));
    return rows[0] === undefined ? null : decodeOutcome(rows[0]);
  }

  /** Removes the outcome of an idempotency key that is older than 24 hours. */
  async deleteOld(session: Session, idempotency_key: string): Promise<void> {
    await session.run(sendSql(this.#sql.deleteOld, { idempotency_key }));
  }

  /** @throws StatementFailure that `isRepeatedOutcome` where the idempotency key has an outcome */
  async add(session: Session, key: Key, idempotency: Idempotency, outcome: Outcome): Promise<void> {
    try {
      await session.run(this.#addSql(key, idempotency, outcome));
    } catch (error) {
      throw this.asRepeated(error);
    }
  }

  addApplied(
    session: Session,
    write: RowWrite,
    idempotency: Idempotency,
    applied: KeptWrite,
  ): Promise<void> {
    return this.add(session, write.key, idempotency, appliedOutcome(write, applied));
  }

  /** The statement that adds the outcome of an applied write. What it fails with goes through `asRepeated`. */
  appliedSql(write: RowWrite, idempotency: Idempotency, applied: KeptWrite): SentSql {
    return this.#addSql(write.key, idempotency, appliedOutcome(write, applied));
  }

  /** For outcomes of applied writes that are added by one statement: idempotency key, hash, resource, key, result. */
  appliedValues(
    { key, ...write }: RowWrite,
    idempotency: Idempotency,
    kept: KeptWrite,
  ): SqlValue[] {
    const { resource, key: text } = nameOf(key);
    const outcome = appliedOutcome(write, kept);
    const { idempotency_key, request_hash, result } = bindingsOf(idempotency, outcome);
    return [idempotency_key, request_hash, resource, text, result];
  }

  /** The failure of statements of which only one that adds an outcome can meet a unique key. */
  asRepeated(error: unknown): unknown {
    const isNamed = !(error instanceof StatementFailure) || error.table !== null;
    if (isNamed || this.#codes.constraints[error.code] !== 'unique') return error;
    // MySQL does not say which table the constraint belongs to.
    return error.as('refused', { table: 'lockstep_idempotency' });
  }

  #addSql(key: Key, idempotency: Idempotency, outcome: Outcome): SentSql {
    return sendSql(this.#sql.add, { ...nameOf(key), ...bindingsOf(idempotency, outcome) });
  }

  async addRefusal(session: Session, key: Key, refused: RefusedWrite): Promise<void> {
    const bindings = { ...nameOf(key), ...refusalBindings(refused) };
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

const appliedOutcome = (
  { fence }: Pick<RowWrite, 'fence'>,
  { created, version, row }: KeptWrite,
): Outcome => ({
  status: 'applied',
  created,
  version,
  fence: fence ?? null,
  row,
});

/** From the columns request hash, resource, key, result. */
function decodeOutcome(values: readonly RawValue[]): IdempotencyRecord {
  const [requestHash = '', resource = '', keyText = '', result = ''] = values.map(
    (value) => value?.toString() ?? '',
  );
  const outcome = parseJson(result) as unknown as StoredOutcome;
  return { requestHash, resource, keyText, result: decodeResult(outcome) };
}

function decodeResult(stored: StoredOutcome): Outcome {
  if (stored.status !== 'applied') return stored;
  const { columns, row, ...rest } = stored;
  return { ...rest, row: readStoredRow(row, columns) };
}

const nameOf = ({ rows, rowText }: Key) => ({ resource: rows, key: rowText });

const bindingsOf = ({ key, requestHash }: Idempotency, outcome: Outcome) => ({
  idempotency_key: key,
  request_hash: requestHash,
  result: jsonText(outcome),
});

/** The outcome of a refused write. */
export const refusalBindings = ({ idempotency, refusal, index }: RefusedWrite) =>
  bindingsOf(idempotency, {
    status: 'refused',
    refusal,
    ...(index === undefined ? {} : { index }),
  });
