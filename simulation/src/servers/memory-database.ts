/**
 * The database in memory: rows with versions, fences, idempotency records and the outbox. Each transaction is done at
 * once. A test checks that it gives the same answers as the row stores on real databases.
 */
import type { JsonValue, Row } from '@lockstep/shared';
import type {
  AppliedRow,
  IdempotencyRecord,
  Refusal,
  RowWrite,
  RowWriteResult,
  VersionedRow,
} from '../../../server/src/database/port.ts';
import {
  type Change,
  type Idempotency,
  isFencedOut,
  type Key,
  keyFromText,
  type Resource,
} from '../../../server/src/domain/index.ts';
import { GuardedTransactions } from './guarded-transactions.ts';
import { KeyLocks, type Transaction } from './key-locks.ts';
import { MemoryGuards } from './memory-guards.ts';
import { MemoryOutbox } from './memory-outbox.ts';
import { type KeySteps, MemoryTransactions, nameOf, type Tried } from './memory-transactions.ts';

/** The defaults of the table's columns, and which rows the database refuses. */
export interface TableRules {
  defaults: Row;
  /** The name of the constraint that a row breaks; null if it breaks none. */
  brokenBy: (row: Row) => string | null;
}

/** A write that was committed. */
export interface Commit {
  key: Key;
  version: number;
  /** Null if it has none. */
  fence: number | null;
  row: Row | null;
  change: Change;
  idempotencyKey: string | null;
}

interface KeyState {
  version: number;
  fence: number;
  row: Row | null;
}

/** What became of writes in one transaction. */
export type InOrder = { results: RowWriteResult[] } | { refusedAt: number };

type Raised = { status: 'raised' } | { status: 'fenced' };

const NO_KEY: KeyState = { version: 0, fence: 0, row: null };

export class MemoryDatabase {
  readonly outbox: MemoryOutbox;
  readonly together: MemoryTransactions;
  readonly guards = new MemoryGuards();
  readonly guarded: GuardedTransactions;
  /** Called for every write, right after its commit. */
  onCommit: (commit: Commit) => void = () => {};
  readonly #locks = new KeyLocks();
  readonly #rules: TableRules;
  readonly #keys = new Map<string, KeyState>();
  #lastMade = 0;
  readonly #outcomes = new Map<string, IdempotencyRecord>();

  /** @param nowMs the server's own clock */
  constructor(rules: TableRules, nowMs: () => number) {
    this.#rules = rules;
    this.outbox = new MemoryOutbox(nowMs);
    const steps: KeySteps = {
      state: (key) => this.#state(key),
      storeFence: (key, fence) => this.#keys.set(nameOf(key), { ...this.#state(key), fence }),
      tried: (write) => this.#tried(write, this.#state(write.key)),
      commit: (write, row) => this.#commit(write, this.#state(write.key), row),
      findOutcome: (idempotencyKey) => this.findOutcome(idempotencyKey),
      remember: (key, idempotency, result) => this.#remember(key, idempotency, result),
    };
    this.together = new MemoryTransactions(this.#locks, steps);
    this.guarded = new GuardedTransactions(this.#locks, this.guards, {
      ...steps,
      replaceRow: (key, row) => this.#keys.set(nameOf(key), { ...this.#state(key), row }),
    });
  }

  /** The next number of the table's key. */
  makeKey(resource: Resource): Key {
    this.#lastMade += 1;
    return keyFromText(resource, String(this.#lastMade));
  }

  read(key: Key): VersionedRow {
    const { version, fence, row } = this.#state(key);
    return { version, fence, row };
  }

  /** One statement that commits at once. It waits while a transaction has locked the key. */
  write(write: RowWrite): RowWriteResult | Promise<RowWriteResult> {
    return this.#locks.whenFree(nameOf(write.key), () => this.#write(write, true));
  }

  /** Writes of one key in one transaction. A constraint takes back all of them; the answer names the one that broke it. */
  writeInOrder(writes: readonly [RowWrite, ...RowWrite[]]): InOrder | Promise<InOrder> {
    return this.#locks.whenFree(nameOf(writes[0].key), () => {
      const refusedAt = this.#firstRefused(writes);
      return refusedAt === null
        ? { results: writes.map((write) => this.#write(write, true)) }
        : { refusedAt };
    });
  }

  #firstRefused(writes: readonly [RowWrite, ...RowWrite[]]): number | null {
    let state = this.#state(writes[0].key);
    for (const [index, write] of writes.entries()) {
      const { idempotency, fence = state.fence } = write;
      if (idempotency !== undefined && this.#outcomes.has(idempotency.key)) continue;
      if (isFencedOut(write, state.fence)) continue;
      const tried = this.#tried(write, state);
      if ('row' in tried) state = { version: state.version + 1, fence, row: tried.row };
      else if (tried.refusal.reason === 'constraint') return index;
    }
    return null;
  }

  /**
   * The statement of a transaction that is committed later. If it would be applied, the key stays locked until `commit`
   * or `rollBack`.
   */
  begin(
    write: RowWrite,
    transaction: Transaction,
  ): RowWriteResult | 'prepared' | Promise<RowWriteResult | 'prepared'> {
    const name = nameOf(write.key);
    return this.#locks.whenFree(name, () => {
      const result = this.#write(write, false);
      if (result === 'prepared' && !transaction.isOver) this.#locks.lock(name, transaction);
      return result;
    });
  }

  /** @throws Error if the transaction is over because its connection was lost */
  commit(write: RowWrite, transaction: Transaction): RowWriteResult {
    if (transaction.isOver) throw new Error('The transaction is over.');
    const result = this.#write(write, true);
    this.#locks.end(transaction);
    return result;
  }

  rollBack(transaction: Transaction): void {
    this.#locks.end(transaction);
  }

  /** Waits while a transaction has locked the key. */
  awaitCommit(key: Key): null | Promise<null> {
    return this.#locks.whenFree(nameOf(key), () => null);
  }

  #write(write: RowWrite, commits: true): RowWriteResult;
  #write(write: RowWrite, commits: false): RowWriteResult | 'prepared';
  #write(write: RowWrite, commits: boolean): RowWriteResult | 'prepared' {
    const { key, idempotency } = write;
    if (idempotency !== undefined) {
      const record = this.#outcomes.get(idempotency.key);
      if (record !== undefined) return { status: 'replayed', record };
    }
    const state = this.#state(key);
    if (isFencedOut(write, state.fence)) return { status: 'fenced', storedFence: state.fence };
    const tried = this.#tried(write, state);
    if ('refusal' in tried) return { status: 'refused', refusal: tried.refusal };
    if (!commits) return 'prepared';
    return { status: 'applied', ...this.#commit(write, state, tried.row) };
  }

  #tried(write: RowWrite, state: KeyState): Tried {
    const changed = this.#changed(write.key, write.change, state.row);
    const refusal = refusalOf(write, state, changed);
    if (refusal !== null) return { refusal };
    return { row: changed === 'absent' || 'constraint' in changed ? null : changed.row };
  }

  /** The first statement of the port's `raiseFence`; the row is read by a second one. */
  raiseFence(
    key: Key,
    fence: number,
    refused?: { idempotency: Idempotency; refusal: Refusal },
    heldFences?: readonly number[],
  ): Raised | Promise<Raised> {
    const fencing = heldFences === undefined ? { fence } : { fence, heldFences };
    return this.#locks.whenFree(nameOf(key), () => this.#raise(key, fencing, refused));
  }

  #raise(
    key: Key,
    fencing: { fence: number; heldFences?: readonly number[] },
    refused: { idempotency: Idempotency; refusal: Refusal } | undefined,
  ): Raised {
    const state = this.#state(key);
    if (isFencedOut(fencing, state.fence)) return { status: 'fenced' };
    this.#keys.set(nameOf(key), { ...state, fence: fencing.fence });
    if (refused !== undefined) this.recordRefusal(key, refused.idempotency, refused.refusal);
    return { status: 'raised' };
  }

  recordRefusal(key: Key, idempotency: Idempotency, refusal: Refusal): void {
    if (this.#outcomes.has(idempotency.key)) return;
    this.#remember(key, idempotency, { status: 'refused', refusal });
  }

  findOutcome(idempotencyKey: string): IdempotencyRecord | null {
    return this.#outcomes.get(idempotencyKey) ?? null;
  }

  #commit(write: RowWrite, state: KeyState, row: Row | null): AppliedRow {
    const { key, change, idempotency, fence = null } = write;
    const version = state.version + 1;
    const created = change.op === 'put' && state.row === null;
    this.#keys.set(nameOf(key), { version, fence: Math.max(state.fence, fence ?? 0), row });
    const related = {
      before: created ? null : relatedOf(key.resource, state.row),
      after: relatedOf(key.resource, row),
    };
    const outboxId = write.outbox ? this.outbox.note(key, version, related) : null;
    if (idempotency !== undefined) {
      this.#remember(key, idempotency, { status: 'applied', created, version, row, fence });
    }
    const idempotencyKey = idempotency?.key ?? null;
    this.onCommit({ key, version, fence, row, change, idempotencyKey });
    return { created, version, row, outboxId, related };
  }

  #remember(
    key: Key,
    { key: idempotencyKey, requestHash }: Idempotency,
    result: IdempotencyRecord['result'],
  ): void {
    const names = { resource: key.resource.name, keyText: key.text };
    this.#outcomes.set(idempotencyKey, { requestHash, ...names, result });
  }

  /** The row after the change, or why it cannot be changed. */
  #changed(key: Key, change: Change, row: Row | null): Changed {
    if (change.op === 'delete') return row === null ? 'absent' : { row: null };
    if (change.op === 'patch' && row === null) return 'absent';
    const next =
      change.op === 'put'
        ? { ...keyValues(key), ...this.#rules.defaults, ...change.set }
        : { ...row, ...change.set, ...incremented(row ?? {}, change.increment) };
    const constraint = this.#rules.brokenBy(next);
    return constraint === null ? { row: Object.freeze(next) } : { constraint };
  }

  #state(key: Key): KeyState {
    return this.#keys.get(nameOf(key)) ?? NO_KEY;
  }
}

/** PostgreSQL's SQLSTATE of a check that refuses a row. */
const CHECK_VIOLATION = '23514';

type Changed = 'absent' | { row: Row | null } | { constraint: string };

function refusalOf(
  { key, change, ifMatch }: RowWrite,
  { version: currentVersion, row }: KeyState,
  changed: Changed,
): Refusal | null {
  if (ifMatch !== undefined && ifMatch !== currentVersion) {
    return { reason: 'version-mismatch', currentVersion };
  }
  if (changed === 'absent') return { reason: 'not-found', currentVersion };
  if (change.op === 'put' && change.onlyCreate && row !== null) {
    return { reason: 'exists', currentVersion };
  }
  if (!('constraint' in changed)) return null;
  const { constraint } = changed;
  const answer = { sqlState: CHECK_VIOLATION, table: key.resource.table };
  return { reason: 'constraint', constraint, kind: 'check', currentVersion, answer };
}

function keyValues({ resource, parts }: Key): Row {
  return Object.fromEntries(
    resource.keyColumns.map((column, index) => {
      const part = parts[index] ?? '';
      return [column.name, column.type === 'integer' ? Number(part) : part];
    }),
  );
}

/** Adding to null gives null, as in SQL. */
function incremented(row: Row, increment: Record<string, string>): Row {
  const sums: Record<string, JsonValue> = {};
  for (const [name, by] of Object.entries(increment)) {
    const value = row[name] ?? null;
    sums[name] = value === null ? null : Number(value) + Number(by);
  }
  return sums;
}

function relatedOf({ columns, invalidates }: Resource, row: Row | null): Row | null {
  const names = new Set(invalidates.flatMap((template) => template.columns));
  if (row === null || names.size === 0) return null;
  return Object.fromEntries(
    columns.filter(({ name }) => names.has(name)).map(({ name }) => [name, row[name] ?? null]),
  );
}
