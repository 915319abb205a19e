/**
 * Several writes, all or nothing.
 *
 *   hold every strict key -> an intent on each -> one database transaction -> publish each -> acknowledge
 *
 * Invariants kept here:
 *   T2  every strict key has its intent before the transaction is sent; none of them is published or withdrawn before
 *       the outcome is known, and if it stays unknown all of them stay for recovery
 *   T4  keys are held in one order (`HeldKeys`)
 *   T5  a refused transaction has stored the fences of all its strict keys before any of its intents is withdrawn
 */
import type {
  AppliedRow,
  IdempotencyRecord,
  RowTransaction,
  RowTransactionResult,
} from '../database/port.ts';
import {
  cacheIsAway,
  isFenced,
  LockstepError,
  type TransactionRequest,
  type WritePhases,
  type WriteReceipt,
} from '../domain/index.ts';
import type { LeasedLock } from '../leases/port.ts';
import { forgetChanged, invalidate, invalidateReached } from './cache-step.ts';
import { publish, withdraw } from './end-intents.ts';
import { atOperation, HeldKeys } from './held-keys.ts';
import { areIntentsThere, placeIntents, type RowIntents, withdrawIntents } from './intents.ts';
import { leasedRows, mayBeApplied, recoveryWithin } from './leased-write.ts';
import { timed, type WriteServiceOptions } from './options.ts';
import { reachOf, ReachesStrict } from './reaching-write.ts';
import { positioned, positionNow, receiptOf, replayTogether } from './receipts.ts';
import { refusalError } from './refusals.ts';
import { hasOutbox, ifMatchOf, secondDelete } from './row-write.ts';

/** How many times it mints fences. The database has seen a higher one only if the cache lost an entry. */
const MAX_MINTS = 3;

type Write = TransactionRequest['writes'][number];

export async function transact(
  options: WriteServiceOptions,
  request: TransactionRequest,
  phases: WritePhases,
): Promise<WriteReceipt[]> {
  const strict = options.cache.available ? undefined : request.writes.find(isStrict);
  if (strict !== undefined) throw cacheIsAway(strict.key.resource);
  const held = await timed(options, phases, 'lockMs', () => HeldKeys.take(options, request));
  const transaction = new Transaction(options, request, held, phases);
  try {
    return await transaction.run();
  } finally {
    held.release();
  }
}

class Transaction {
  readonly #options: WriteServiceOptions;
  readonly #request: TransactionRequest;
  readonly #held: HeldKeys;
  readonly #phases: WritePhases;
  /** The intents that stand, by the index of the write. */
  readonly #intents = new Map<number, RowIntents>();
  /** By the index of the write, a fence that the database has seen and that its next one must exceed. */
  readonly #above = new Map<number, number>();
  /** The fences of the last attempt, by the index of the write. */
  readonly #fences = new Map<number, number>();

  constructor(
    options: WriteServiceOptions,
    request: TransactionRequest,
    held: HeldKeys,
    phases: WritePhases,
  ) {
    this.#options = options;
    this.#request = request;
    this.#held = held;
    this.#phases = phases;
  }

  async run(): Promise<WriteReceipt[]> {
    try {
      for (let mint = 0; mint < MAX_MINTS; mint += 1) {
        this.#held.assertHeld(this.#request);
        await timed(this.#options, this.#phases, 'intentMs', () => this.#placeIntents());
        this.#held.assertHeld(this.#request);
        const result = await this.#send();
        const receipts = await this.#conclude(result);
        if (receipts !== null) return receipts;
      }
    } catch (error) {
      if (!(error instanceof Concluded)) this.#recoverAll();
      throw error instanceof Concluded ? error.reason : error;
    }
    this.#recoverAll();
    throw new LockstepError('FENCED', 'Newer holders of these keys came in between each time.');
  }

  /** Places an intent on every strict key that has none of this transaction. In parallel: the keys are held already. */
  async #placeIntents(): Promise<void> {
    const placing = this.#writes().map(async ([index, write]) => {
      if (!isStrict(write) || this.#intents.has(index)) return;
      const above = this.#above.get(index) ?? 0;
      const intents = await placeIntents(this.#optionsFor(index), write.key, above);
      this.#intents.set(index, intents);
      this.#held.of(write.key)?.lock.noteFence(intents.fence);
    });
    const failed = (await Promise.allSettled(placing)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  async #send(): Promise<RowTransactionResult> {
    const { verifyIntent, rows } = this.#options;
    const { idempotency, where } = this.#request;
    try {
      return await timed(this.#options, this.#phases, 'transactionMs', () =>
        rows.writeTogether({
          writes: this.#writes().map(([index, write]) => this.#rowWrite(index, write)),
          ...(idempotency === undefined ? {} : { idempotency }),
          ...(where === undefined ? {} : { where }),
          ...(verifyIntent === true ? { verify: () => this.#areIntentsThere() } : {}),
        }),
      );
    } catch (error) {
      if (mayBeApplied(error)) this.#eachLease((lease, fence) => lease.mayHaveStored(fence));
      throw error;
    }
  }

  #rowWrite(index: number, write: Write): RowTransaction['writes'][number] {
    const { key, change, byForeignKey } = write;
    const { resource } = key;
    const lease = this.#held.of(key)?.lease ?? null;
    const fence = this.#intents.get(index)?.fence ?? lease?.nextFence();
    if (fence !== undefined) this.#fences.set(index, fence);
    return {
      key,
      change,
      outbox: hasOutbox(resource),
      ...secondDelete(this.#options, resource),
      ...(byForeignKey === true
        ? { byForeignKey }
        : reachOf(this.#options, resource, this.#request.writes)),
      ...ifMatchOf(write),
      ...(fence === undefined ? {} : { fence }),
      ...(lease === null ? {} : { heldFences: lease.heldFences }),
    };
  }

  async #areIntentsThere(): Promise<boolean> {
    const looks = [...this.#intents.values()].map((intents) =>
      areIntentsThere(this.#options, intents),
    );
    return (await Promise.all(looks)).every((isThere) => isThere);
  }

  /** Returns null if the fences must be minted again. */
  async #conclude(result: RowTransactionResult): Promise<WriteReceipt[] | null> {
    switch (result.status) {
      case 'applied':
        this.#eachLease((lease, fence) => lease.stored(fence));
        return timed(this.#options, this.#phases, 'publishMs', () => this.#finish(result.rows));
      case 'refused': {
        this.#eachLease((lease, fence) => lease.stored(fence));
        await this.#withdrawAll(result.versions);
        const { index, refusal } = result;
        const { key } = this.#write(index ?? 0);
        await forgetChanged(this.#options.cache, key, refusal);
        const error = refusalError(key, refusal);
        throw new Concluded(index === null ? error : atOperation(error, index));
      }
      case 'fenced':
        for (const fenced of result.fenced) this.#mintAbove(fenced);
        return null;
      case 'unverified':
        for (const [index, { fence }] of this.#intents) this.#lost(index, fence);
        this.#intents.clear();
        return null;
      case 'reaches':
        await this.#withdrawEach();
        throw new Concluded(new ReachesStrict(result.keys));
      case 'unmatched':
        await this.#withdrawEach();
        throw new Concluded(new Unmatched(result.indexes));
      case 'replayed': {
        await this.#withdrawEach();
        if (this.#request.where !== undefined) throw new Concluded(new RepeatedSet(result.record));
        return replayTogether(this.#options, this.#request, result.record).catch(
          (error: unknown) => {
            throw new Concluded(error);
          },
        );
      }
    }
  }

  async #finish(rows: readonly AppliedRow[]): Promise<WriteReceipt[]> {
    const asking = positionNow(this.#options);
    const finishing = this.#writes().map(async ([index, write]): Promise<WriteReceipt> => {
      const row = rows[index];
      if (row === undefined)
        throw new LockstepError('INTERNAL', 'The database answered no row for a write.');
      const intents = this.#intents.get(index);
      const cache =
        intents === undefined
          ? await invalidate(this.#options, write.key, row, await asking)
          : await publish(this.#optionsFor(index), write, intents, row);
      await invalidateReached(this.#options, row.reached);
      const fence = this.#fences.get(index) ?? null;
      const rest = { cache, fence, waitMs: this.#held.waitMs, ...positioned(await asking) };
      return receiptOf(write, row, rest);
    });
    // As after a single write: the next holders' intents follow these publishes on the same connection.
    this.#held.release();
    return Promise.all(finishing);
  }

  /** Nothing was applied. Each fence is stored before its intent is removed (W2). */
  async #withdrawEach(): Promise<void> {
    await Promise.all(
      [...this.#intents].map(([index, intent]) =>
        withdraw(this.#optionsFor(index), { key: this.#write(index).key }, intent, null),
      ),
    );
  }

  async #withdrawAll(versions: readonly number[]): Promise<void> {
    await Promise.all(
      [...this.#intents].map(async ([index, intents]) => {
        const { key } = this.#write(index);
        try {
          await withdrawIntents(this.#options, intents, versions[index] ?? 0);
        } catch (error) {
          const { name: resource } = key.resource;
          this.#options.runtime.log.debug({ err: error, resource }, 'an intent stays for recovery');
          this.#optionsFor(index).recovery.recoverSoon(key);
        }
      }),
    );
  }

  #mintAbove({ index, storedFence }: { index: number; storedFence: number }): void {
    const { key } = this.#write(index);
    const lease = this.#held.of(key)?.lease ?? null;
    if (lease?.heldFences.includes(storedFence) === false) {
      throw atOperation(lease.superseded(), index);
    }
    const fence = this.#fences.get(index) ?? 0;
    this.#options.telemetry.emit({ type: 'write-fenced', key, fence, storedFence });
    this.#above.set(index, storedFence);
    this.#intents.delete(index);
  }

  #lost(index: number, fence: number): void {
    this.#options.telemetry.emit({ type: 'intent-lost', key: this.#write(index).key, fence });
    this.#above.set(index, fence);
  }

  /** Tries once, in the background, to resolve the intents that this transaction may have left. */
  #recoverAll(): void {
    for (const [index, write] of this.#writes()) {
      if (isStrict(write)) this.#optionsFor(index).recovery.recoverSoon(write.key);
    }
  }

  /** If a lease of the caller holds the key, the lease recovers it when it is over. */
  #optionsFor(index: number): WriteServiceOptions {
    const lease = this.#held.of(this.#write(index).key)?.lease ?? null;
    if (lease === null) return this.#options;
    const rows = leasedRows(this.#options.rows, lease);
    return { ...this.#options, rows, recovery: recoveryWithin(lease) };
  }

  #eachLease(tell: (lease: LeasedLock, fence: number) => void): void {
    for (const [index, write] of this.#writes()) {
      const lease = this.#held.of(write.key)?.lease ?? null;
      const fence = this.#fences.get(index);
      if (lease !== null && fence !== undefined) tell(lease, fence);
    }
  }

  #writes(): [number, Write][] {
    return [...this.#request.writes.entries()];
  }

  #write(index: number): Write {
    const write = this.#request.writes[index];
    if (write === undefined)
      throw new LockstepError('INTERNAL', 'The transaction has no write of this index.');
    return write;
  }
}

/** Ends a transaction some of whose rows do not match its filter. Nothing was applied. */
export class Unmatched extends Error {
  override readonly name = 'Unmatched';
  readonly indexes: readonly number[];

  constructor(indexes: readonly number[]) {
    super(`${indexes.length} rows do not match any more`);
    this.indexes = indexes;
  }
}

/** Ends a set whose idempotency key has an outcome: which rows those were, only the outcome says. */
export class RepeatedSet extends Error {
  override readonly name = 'RepeatedSet';
  readonly record: IdempotencyRecord;

  constructor(record: IdempotencyRecord) {
    super('a repeated set');
    this.record = record;
  }
}

/** Ends a transaction whose intents need no recovery. */
class Concluded extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super('concluded');
    this.reason = reason;
  }
}

const isStrict = ({ key }: Pick<Write, 'key'>): boolean => isFenced(key.resource);
