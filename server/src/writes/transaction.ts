/**
 * Several writes, all or nothing.
 *
 *   hold every strict key -> an intent on each -> one database transaction -> publish each -> acknowledge
 *
 * Invariants kept here:
 *   T2  every strict key has its intent before the transaction is sent; none of them is published or withdrawn before
 *       the outcome is known, and where it is unknown all stay for recovery
 *   T4  keys are held in one order (`HeldKeys`)
 *   T5  a refused transaction has stored the fences of all its strict keys before any of its intents is withdrawn
 */
import type { AppliedRow, RowTransaction, RowTransactionResult } from '../database/port.ts';
import {
  cacheIsAway,
  isFenced,
  LockstepError,
  type TransactionRequest,
  type WritePhases,
  type WriteReceipt,
} from '../domain/index.ts';
import type { LeasedLock } from '../leases/port.ts';
import { invalidateReached } from './cache-step.ts';
import { atOperation, HeldKeys } from './held-keys.ts';
import { LeasedRows, mayBeApplied, recoveryWithin } from './leased-write.ts';
import { ifMatchOf, positioned, positionNow, receiptOf, timed, type WriteParts } from './parts.ts';
import { forgetChanged, hasOutbox, invalidate, secondDelete } from './plain-write.ts';
import { reachOf, ReachesStrict } from './reaching-write.ts';
import { refusalError } from './refusals.ts';
import { replayTogether } from './replay-together.ts';
import { areIntentsThere, placeIntents, type RowIntents, withdrawIntents } from './row-intents.ts';
import { publish, withdraw } from './strict-write.ts';

/** How often fences are minted anew when the database has seen higher ones (the cache forgot). */
const MAX_MINTS = 3;

type Write = TransactionRequest['writes'][number];

export async function transact(
  parts: WriteParts,
  request: TransactionRequest,
  phases: WritePhases,
): Promise<WriteReceipt[]> {
  const strict = parts.cache.available ? undefined : request.writes.find(isStrict);
  if (strict !== undefined) throw cacheIsAway(strict.key.resource);
  const held = await timed(parts, phases, 'lockMs', () => HeldKeys.take(parts, request));
  const transaction = new Transaction(parts, request, held, phases);
  try {
    return await transaction.run();
  } finally {
    held.release();
  }
}

class Transaction {
  readonly #parts: WriteParts;
  readonly #request: TransactionRequest;
  readonly #held: HeldKeys;
  readonly #phases: WritePhases;
  /** Those that stand, by the number of the write. */
  readonly #intents = new Map<number, RowIntents>();
  /** What the fence of a write must exceed, as the database has said. */
  readonly #above = new Map<number, number>();
  /** The fences of the last try, by the number of the write. */
  readonly #fences = new Map<number, number>();

  constructor(parts: WriteParts, request: TransactionRequest, held: HeldKeys, phases: WritePhases) {
    this.#parts = parts;
    this.#request = request;
    this.#held = held;
    this.#phases = phases;
  }

  async run(): Promise<WriteReceipt[]> {
    try {
      for (let mint = 0; mint < MAX_MINTS; mint += 1) {
        this.#held.assertHeld(this.#request);
        await timed(this.#parts, this.#phases, 'intentMs', () => this.#placeIntents());
        this.#held.assertHeld(this.#request);
        const result = await this.#send();
        const receipts = await this.#settle(result);
        if (receipts !== null) return receipts;
      }
    } catch (error) {
      if (!(error instanceof Settled)) this.#recoverAll();
      throw error instanceof Settled ? error.reason : error;
    }
    this.#recoverAll();
    throw new LockstepError('FENCED', 'Newer holders of these keys came in between each time.');
  }

  /** On every strict key where none of this transaction stands. All at once; the keys are held already. */
  async #placeIntents(): Promise<void> {
    const placing = this.#writes().map(async ([index, write]) => {
      if (!isStrict(write) || this.#intents.has(index)) return;
      const above = this.#above.get(index) ?? 0;
      const intents = await placeIntents(this.#partsOf(index), write.key, above);
      this.#intents.set(index, intents);
      this.#held.of(write.key)?.lock.noteFence(intents.fence);
    });
    const failed = (await Promise.allSettled(placing)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  async #send(): Promise<RowTransactionResult> {
    const { verifyIntent, rows } = this.#parts;
    const { idempotency } = this.#request;
    try {
      return await timed(this.#parts, this.#phases, 'transactionMs', () =>
        rows.writeTogether({
          writes: this.#writes().map(([index, write]) => this.#rowWrite(index, write)),
          ...(idempotency === undefined ? {} : { idempotency }),
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
      ...secondDelete(this.#parts, resource),
      ...(byForeignKey === true
        ? { byForeignKey }
        : reachOf(this.#parts, resource, this.#request.writes)),
      ...ifMatchOf(write),
      ...(fence === undefined ? {} : { fence }),
      ...(lease === null ? {} : { heldFences: lease.heldFences }),
    };
  }

  async #areIntentsThere(): Promise<boolean> {
    const looks = [...this.#intents.values()].map((intents) =>
      areIntentsThere(this.#parts, intents),
    );
    return (await Promise.all(looks)).every((isThere) => isThere);
  }

  /** Null: fences are to be minted anew. */
  async #settle(result: RowTransactionResult): Promise<WriteReceipt[] | null> {
    switch (result.status) {
      case 'applied':
        this.#eachLease((lease, fence) => lease.stored(fence));
        return timed(this.#parts, this.#phases, 'publishMs', () => this.#finish(result.rows));
      case 'refused': {
        this.#eachLease((lease, fence) => lease.stored(fence));
        await this.#withdrawAll(result.versions);
        const { index, refusal } = result;
        const { key } = this.#write(index ?? 0);
        await forgetChanged(this.#parts.cache, key, refusal);
        const error = refusalError(key, refusal);
        throw new Settled(index === null ? error : atOperation(error, index));
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
        throw new Settled(new ReachesStrict(result.keys));
      case 'replayed': {
        await this.#withdrawEach();
        return replayTogether(this.#parts, this.#request, result.record).catch((error: unknown) => {
          throw new Settled(error);
        });
      }
    }
  }

  async #finish(rows: readonly AppliedRow[]): Promise<WriteReceipt[]> {
    const asking = positionNow(this.#parts);
    const finishing = this.#writes().map(async ([index, write]): Promise<WriteReceipt> => {
      const row = rows[index];
      if (row === undefined) throw new LockstepError('INTERNAL', 'A write without its row.');
      const intents = this.#intents.get(index);
      const cache =
        intents === undefined
          ? await invalidate(this.#parts, write, row, await asking)
          : await publish(this.#partsOf(index), write, intents, row);
      await invalidateReached(this.#parts, row.reached);
      const fence = this.#fences.get(index) ?? null;
      const rest = { cache, fence, waitMs: this.#held.waitMs, ...positioned(await asking) };
      return receiptOf(write, row, rest);
    });
    // As after a single write: the next holders' intents follow these publishes on the same connection.
    this.#held.release();
    return Promise.all(finishing);
  }

  /** Nothing of it happened: each fence is stored before its intent goes (W2). */
  async #withdrawEach(): Promise<void> {
    await Promise.all(
      [...this.#intents].map(([index, intent]) =>
        withdraw(this.#partsOf(index), { key: this.#write(index).key }, intent, null),
      ),
    );
  }

  async #withdrawAll(versions: readonly number[]): Promise<void> {
    await Promise.all(
      [...this.#intents].map(async ([index, intents]) => {
        const { key } = this.#write(index);
        try {
          await withdrawIntents(this.#parts, intents, versions[index] ?? 0);
        } catch (error) {
          const { name: resource } = key.resource;
          this.#parts.runtime.log.debug({ err: error, resource }, 'an intent stays for recovery');
          this.#partsOf(index).recovery.recoverSoon(key);
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
    this.#parts.telemetry.emit({ type: 'write-fenced', key, fence, storedFence });
    this.#above.set(index, storedFence);
    this.#intents.delete(index);
  }

  #lost(index: number, fence: number): void {
    this.#parts.telemetry.emit({ type: 'intent-lost', key: this.#write(index).key, fence });
    this.#above.set(index, fence);
  }

  /** Tries once, off the caller's path, to resolve the intents that this transaction may leave. */
  #recoverAll(): void {
    for (const [index, write] of this.#writes()) {
      if (isStrict(write)) this.#partsOf(index).recovery.recoverSoon(write.key);
    }
  }

  /** A key that a lease of the caller's holds is recovered when the lease is over. */
  #partsOf(index: number): WriteParts {
    const lease = this.#held.of(this.#write(index).key)?.lease ?? null;
    if (lease === null) return this.#parts;
    const rows = new LeasedRows(this.#parts.rows, lease);
    return { ...this.#parts, rows, recovery: recoveryWithin(lease) };
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
    if (write === undefined) throw new LockstepError('INTERNAL', 'A write that is not there.');
    return write;
  }
}

/** Ends a transaction whose intents are seen to. */
class Settled extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super('settled');
    this.reason = reason;
  }
}

const isStrict = ({ key }: Pick<Write, 'key'>): boolean => isFenced(key.resource);
