/**
 * A write within a lease: the very write of its policy, on parts of which the locks give the lease's own turn and the
 * rows refuse it where another turn came in between (invariant T7). So it holds also where the lock was lost and nobody
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
import type { LeasedTurn } from '../leases/port.ts';
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
    const turn = await parts.leases.turn(leaseId, key, waitTimeoutMs);
    return writeWithin(turn, parts, request, phases, policyWrite);
  }
  // A strict write takes the lock by itself, and so waits for a lease of any process.
  if (isFenced(key.resource) || !parts.leases.isLeased(key)) {
    return policyWrite(parts, request, phases);
  }
  const turn = await parts.locks.acquire(key, {
    purpose: 'write',
    ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }),
  });
  try {
    const receipt = await policyWrite(parts, request, phases);
    return { ...receipt, waitMs: turn.waitMs };
  } finally {
    turn.release();
  }
}

async function writeWithin(
  turn: LeasedTurn,
  parts: WriteParts,
  request: WriteRequest,
  phases: WritePhases,
  policyWrite: PolicyWrite,
): Promise<WriteReceipt> {
  const rows = new LeasedRows(parts.rows, turn);
  const { waitTimeoutMs } = parts.locks;
  const leased: WriteParts = {
    ...parts,
    rows,
    locks: { acquire: () => Promise.resolve(turn), waitTimeoutMs },
    recovery: recoveryWithin(turn),
  };
  try {
    const receipt = await policyWrite(leased, request, phases);
    return receipt.replayed ? receipt : { ...receipt, fence: rows.fence, waitMs: turn.waitMs };
  } finally {
    turn.release();
  }
}

/** The lease has the lock that a recovery would wait for. */
export const recoveryWithin = (turn: LeasedTurn): WriteParts['recovery'] => ({
  recoverSoon: () => turn.leftIntent(),
});

/** Whether a statement that failed so may have happened. */
export const mayBeApplied = (error: unknown): boolean =>
  !(error instanceof LockstepError) || error.outcome !== 'not_applied';

/** Rows that take a turn's statements only while no other turn came in between. */
export class LeasedRows implements WriterRows {
  readonly #rows: WriterRows;
  readonly #turn: LeasedTurn;
  /** Of the last write. */
  fence: number | null = null;

  constructor(rows: WriterRows, turn: LeasedTurn) {
    this.#rows = rows;
    this.#turn = turn;
  }

  async write(write: Parameters<RowStore['write']>[0]): ReturnType<RowStore['write']> {
    this.#turn.assertHeld();
    const { heldFences } = this.#turn;
    const fence = write.fence ?? this.#turn.nextFence();
    this.fence = fence;
    this.#turn.noteFence(fence);
    const result = await this.#sent(fence, () => this.#rows.write({ ...write, fence, heldFences }));
    if (result.status === 'applied') this.#turn.stored(fence);
    if (result.status === 'fenced' && !heldFences.includes(result.storedFence)) {
      throw this.#turn.superseded();
    }
    return result;
  }

  async raiseFence(
    key: Parameters<RowStore['raiseFence']>[0],
    fence: number,
    refused?: Parameters<RowStore['raiseFence']>[2],
  ): ReturnType<RowStore['raiseFence']> {
    const { heldFences } = this.#turn;
    const result = await this.#sent(fence, () =>
      this.#rows.raiseFence(key, fence, refused, heldFences),
    );
    if (result.status === 'raised') this.#turn.stored(fence);
    else if (!heldFences.includes(result.storedFence)) throw this.#turn.superseded();
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
      if (mayBeApplied(error)) this.#turn.mayHaveStored(fence);
      throw error;
    }
  }
}
