import {
  invalidField,
  isFenced,
  type Key,
  LockstepError,
  type TransactionRequest,
} from '../domain/index.ts';
import type { LeasedLock } from '../leases/port.ts';
import type { HeldLock } from '../locks/port.ts';
import type { WriteServiceOptions } from './options.ts';

/** A key while a transaction holds it. */
export interface HeldKey {
  lock: HeldLock;
  /** The same lock, if a lease of the caller holds the key; else null. */
  lease: LeasedLock | null;
}

/**
 * The keys that a transaction holds: the strict ones, those of the caller's leases, and those that another caller's
 * lease holds in this process (it waits for that lease). They are acquired one after the other in the order of their
 * lock keys, so that no two transactions wait for each other (invariant T4). If one cannot be acquired, the others are
 * released.
 */
export class HeldKeys {
  readonly #held = new Map<string, HeldKey>();

  static async take(options: WriteServiceOptions, request: TransactionRequest): Promise<HeldKeys> {
    const held = new HeldKeys();
    try {
      await held.#take(options, request);
      return held;
    } catch (error) {
      held.release();
      throw error;
    }
  }

  of(key: Key): HeldKey | null {
    return this.#held.get(key.lockKey) ?? null;
  }

  /** How long it took to acquire all of them, in ms. */
  waitMs = 0;

  /** Releases all of them. Idempotent. */
  release(): void {
    for (const { lock } of this.#held.values()) lock.release();
  }

  /** Call right before sending anything. @throws LockstepError `FENCED`, which names the operation */
  assertHeld(request: TransactionRequest): void {
    for (const [index, { key }] of request.writes.entries()) {
      try {
        this.of(key)?.lock.assertHeld();
      } catch (error) {
        throw atOperation(error, index);
      }
    }
  }

  async #take(options: WriteServiceOptions, request: TransactionRequest): Promise<void> {
    const { clock } = options.runtime;
    const startedAtMs = clock.nowMs();
    const leaseOf = leasesByKey(options, request);
    const wanted = request.writes
      .map(({ key }, index) => ({ key, index, leaseId: leaseOf.get(key.lockKey) }))
      .filter(
        ({ key, leaseId }) =>
          leaseId !== undefined || isFenced(key.resource) || options.leases.isLeased(key),
      )
      .sort((one, other) => (one.key.lockKey < other.key.lockKey ? -1 : 1));
    for (const { key, index, leaseId } of wanted) {
      const boundMs = request.waitTimeoutMs ?? options.locks.waitTimeoutMs;
      const waitTimeoutMs = Math.max(1, boundMs - (clock.nowMs() - startedAtMs));
      try {
        this.#held.set(key.lockKey, await takeOne(options, key, waitTimeoutMs, leaseId));
      } catch (error) {
        throw atOperation(error, index);
      }
    }
    this.waitMs = clock.nowMs() - startedAtMs;
  }
}

async function takeOne(
  { locks, leases }: WriteServiceOptions,
  key: Key,
  waitTimeoutMs: number,
  leaseId: string | undefined,
): Promise<HeldKey> {
  if (leaseId === undefined) {
    return { lock: await locks.acquire(key, { purpose: 'write', waitTimeoutMs }), lease: null };
  }
  const lease = await leases.acquire(leaseId, key, waitTimeoutMs);
  return { lock: lease, lease };
}

function leasesByKey(
  { leases }: WriteServiceOptions,
  { writes, leaseIds = [] }: TransactionRequest,
): Map<string, string> {
  const byKey = new Map<string, string>();
  for (const id of leaseIds) {
    const { lockKey } = leases.keyOf(id);
    if (!writes.some(({ key }) => key.lockKey === lockKey))
      throw invalidField('Lockstep-Lease', 'must name leases of keys that the transaction writes');
    byKey.set(lockKey, id);
  }
  return byKey;
}

/** The error with the index of the transaction's operation that it is about. */
export function atOperation(error: unknown, operation: number): unknown {
  if (!(error instanceof LockstepError) || error.code === 'INTERNAL') return error;
  const errors = error.details.errors?.map(({ path, message }) => ({
    path: `operations.${operation}.value.${path}`,
    message,
  }));
  return error.with(`Operation ${operation}: ${error.message}`, {
    ...{ ...error.details, operation },
    ...(errors === undefined ? {} : { errors }),
  });
}
