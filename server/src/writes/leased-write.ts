/**
 * A write within a lease: the very write of its policy, on parts of which the locks give the lease's own lock and the
 * rows refuse it where another holder came in between (invariant T7). So it holds also where the lock was lost and nobody
 * has noticed yet.
 */
import type { RowStore } from '../database/port.ts';
import {
  isFenced,
  LockstepError,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import type { LeasedLock } from '../leases/port.ts';
import type { PolicyWrite, WriteParts, WriterRows } from './parts.ts';

/** Carries a write out within its lease; one without a lease waits for a lease of this process at its key. */
export async function writeByLease(
  parts: WriteParts,
  request: WriteRequest,
  phases: WritePhases,
  policyWrite: PolicyWrite,
): Promise<WriteReceipt> {
  const { key, leaseId, waitTimeoutMs } = request;
  if (leaseId !== undefined) {
    const lock = await parts.leases.acquire(leaseId, key, waitTimeoutMs);
    return writeWithin(lock, parts, request, phases, policyWrite);
  }
  // A strict write takes the lock by itself, and so waits for a lease of any process.
  if (isFenced(key.resource) || !parts.leases.isLeased(key)) {
    return policyWrite(parts, request, phases);
  }
  const lock = await parts.locks.acquire(key, {
    purpose: 'write',
    ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }),
  });
  try {
    const receipt = await policyWrite(parts, request, phases);
    return { ...receipt, waitMs: lock.waitMs };
  } finally {
    lock.release();
  }
}

async function writeWithin(
  lock: LeasedLock,
  parts: WriteParts,
  request: WriteRequest,
  phases: WritePhases,
  policyWrite: PolicyWrite,
): Promise<WriteReceipt> {
  const rows = new LeasedRows(parts.rows, lock);
  const { waitTimeoutMs } = parts.locks;
  const leased: WriteParts = {
    ...parts,
    rows,
    locks: { acquire: () => Promise.resolve(lock), waitTimeoutMs },
    recovery: recoveryWithin(lock),
  };
  try {
    const receipt = await policyWrite(leased, request, phases);
    return receipt.replayed ? receipt : { ...receipt, fence: rows.fence, waitMs: lock.waitMs };
  } finally {
    lock.release();
  }
}

/** The lease has the lock that a recovery would wait for. */
export const recoveryWithin = (lock: LeasedLock): WriteParts['recovery'] => ({
  recoverSoon: () => lock.leftIntent(),
});

/** Whether a statement that failed so may have happened. */
export const mayBeApplied = (error: unknown): boolean =>
  !(error instanceof LockstepError) || error.outcome !== 'not_applied';

/** Rows that refuse a lease's statements once another holder came in between. */
export class LeasedRows implements WriterRows {
  readonly #rows: WriterRows;
  readonly #lock: LeasedLock;
  /** Of the last write. */
  fence: number | null = null;

  constructor(rows: WriterRows, lock: LeasedLock) {
    this.#rows = rows;
    this.#lock = lock;
  }

  async write(write: Parameters<RowStore['write']>[0]): ReturnType<RowStore['write']> {
    this.#lock.assertHeld();
    const { heldFences } = this.#lock;
    const fence = write.fence ?? this.#lock.nextFence();
    this.fence = fence;
    this.#lock.noteFence(fence);
    const result = await this.#sent(fence, () => this.#rows.write({ ...write, fence, heldFences }));
    if (result.status === 'applied') this.#lock.stored(fence);
    if (result.status === 'fenced' && !heldFences.includes(result.storedFence)) {
      throw this.#lock.superseded();
    }
    return result;
  }

  async raiseFence(
    key: Parameters<RowStore['raiseFence']>[0],
    fence: number,
    refused?: Parameters<RowStore['raiseFence']>[2],
  ): ReturnType<RowStore['raiseFence']> {
    const { heldFences } = this.#lock;
    const result = await this.#sent(fence, () =>
      this.#rows.raiseFence(key, fence, refused, heldFences),
    );
    if (result.status === 'raised') this.#lock.stored(fence);
    else if (!heldFences.includes(result.storedFence)) throw this.#lock.superseded();
    return result;
  }

  writeTogether(
    transaction: Parameters<RowStore['writeTogether']>[0],
  ): ReturnType<RowStore['writeTogether']> {
    return this.#rows.writeTogether(transaction);
  }

  recordRefusal(
    ...refused: Parameters<RowStore['recordRefusal']>
  ): ReturnType<RowStore['recordRefusal']> {
    return this.#rows.recordRefusal(...refused);
  }

  findOutcome(idempotencyKey: string): ReturnType<RowStore['findOutcome']> {
    return this.#rows.findOutcome(idempotencyKey);
  }

  async #sent<T>(fence: number, send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      if (mayBeApplied(error)) this.#lock.mayHaveStored(fence);
      throw error;
    }
  }
}
