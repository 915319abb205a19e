/**
 * A write within a caller's lock lease. It is the ordinary write of its policy, with two options replaced: acquiring the
 * lock returns the lease's own lock, and the rows refuse the write if another holder wrote the key in between (T7). That
 * holds even if the lease lost its lock and nobody has noticed yet.
 */
import {
  LockstepError,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import type { LeasedLock } from '../leases/port.ts';
import type { PolicyWrite, WriterRows, WriteServiceOptions } from './options.ts';

/** A write without a lock of its own, at a key that a lease of this process holds: it waits until the lease is over. */
export async function writeAfterLease(
  options: WriteServiceOptions,
  request: WriteRequest,
  phases: WritePhases,
  policyWrite: PolicyWrite,
): Promise<WriteReceipt> {
  const { key, waitTimeoutMs } = request;
  const lock = await options.locks.acquire(key, {
    purpose: 'write',
    ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }),
  });
  try {
    const receipt = await policyWrite(options, request, phases);
    return { ...receipt, waitMs: lock.waitMs };
  } finally {
    lock.release();
  }
}

/** A write that names its caller's lease. */
export async function writeWithinLease(
  leaseId: string,
  options: WriteServiceOptions,
  request: WriteRequest,
  phases: WritePhases,
  policyWrite: PolicyWrite,
): Promise<WriteReceipt> {
  const { key, waitTimeoutMs } = request;
  const lock = await options.leases.acquire(leaseId, key, waitTimeoutMs);
  const rows = leasedRows(options.rows, lock);
  const leased: WriteServiceOptions = {
    ...options,
    rows,
    locks: {
      acquire: () => Promise.resolve(lock),
      acquireOrFollow: () => Promise.resolve(lock),
      waitTimeoutMs: options.locks.waitTimeoutMs,
    },
    recovery: recoveryWithin(lock),
  };
  try {
    const receipt = await policyWrite(leased, request, phases);
    return receipt.replayed ? receipt : { ...receipt, fence: rows.fence, waitMs: lock.waitMs };
  } finally {
    lock.release();
  }
}

/** A recovery would wait for the lock, which the lease holds: the lease recovers the key when it is over. */
export const recoveryWithin = (lock: LeasedLock): WriteServiceOptions['recovery'] => ({
  recoverSoon: () => lock.leftIntent(),
});

/** Whether a statement that failed with this error may have been applied. */
export const mayBeApplied = (error: unknown): boolean =>
  !(error instanceof LockstepError) || error.outcome !== 'not_applied';

/** Rows that refuse a lease's statements once another holder came in between. `fence`: that of the last write. */
export function leasedRows(
  rows: WriterRows,
  lock: LeasedLock,
): WriterRows & { readonly fence: number | null } {
  let lastFence: number | null = null;
  const send = async <T>(fence: number, statement: () => Promise<T>): Promise<T> => {
    try {
      return await statement();
    } catch (error) {
      if (mayBeApplied(error)) lock.mayHaveStored(fence);
      throw error;
    }
  };
  return {
    get fence() {
      return lastFence;
    },
    write: async (write) => {
      lock.assertHeld();
      const { heldFences } = lock;
      const fence = write.fence ?? lock.nextFence();
      lastFence = fence;
      lock.noteFence(fence);
      const result = await send(fence, () => rows.write({ ...write, fence, heldFences }));
      if (result.status === 'applied') lock.stored(fence);
      if (result.status === 'fenced' && !heldFences.includes(result.storedFence))
        throw lock.superseded();
      return result;
    },
    raiseFence: async (key, fence, refused) => {
      const { heldFences } = lock;
      const result = await send(fence, () => rows.raiseFence(key, fence, refused, heldFences));
      if (result.status === 'raised') lock.stored(fence);
      else if (!heldFences.includes(result.storedFence)) throw lock.superseded();
      return result;
    },
    // A lease's lock has no followers.
    writeInOrder: () =>
      Promise.reject(new LockstepError('INTERNAL', 'A write within a lease goes by itself.')),
    writeTogether: (transaction) => rows.writeTogether(transaction),
    recordRefusal: (...refused) => rows.recordRefusal(...refused),
    findOutcome: (idempotencyKey) => rows.findOutcome(idempotencyKey),
    findKeys: (resource, where, limit) => rows.findKeys(resource, where, limit),
    makeKey: (row) => rows.makeKey(row),
  };
}
