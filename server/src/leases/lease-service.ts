import type { EntryStore } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import {
  cacheIsAway,
  FairShare,
  invalidField,
  isFenced,
  type Key,
  LockstepError,
} from '../domain/index.ts';
import type { LockService, HeldLock } from '../locks/port.ts';
import type { Runtime } from '../runtime/index.ts';
import { EndedLeases, type LeaseEnd, leaseIdOf } from './ended-leases.ts';
import { Lease } from './lease.ts';
import { leaseOptions, type LeaseOptions } from './lease-options.ts';
import type { LeaseView, LeasedLock, LeaseGrant, LeaseService } from './port.ts';

/** How often a grant asks for a higher fence when other holders stored theirs in between. */
const MAX_RAISES = 3;

/** The recovery of a strict key, with which its lease starts and may end. */
export interface LeaseRecovery {
  /** Under a lock that the caller holds: no earlier holder can commit any more, and no intent of one is left. */
  takeOver(key: Key, lock: HeldLock): Promise<{ fence: number }>;
  /** The caller does not wait for it; never fails. */
  recoverSoon(key: Key): void;
}

export interface LeaseServiceOptions {
  /** The name of this process among the coordinators. */
  instance: string;
  locks: Pick<LockService, 'acquire'>;
  rows: Pick<RowStore, 'read' | 'raiseFence'>;
  cache: Pick<EntryStore, 'available'>;
  recovery: LeaseRecovery;
  runtime: Runtime;
  options?: Partial<LeaseOptions>;
}

/** The leases of this process, and the reasons why past ones ended. */
export class HeldLeases implements LeaseService {
  readonly #options: LeaseServiceOptions;
  readonly #bounds: LeaseOptions;
  readonly #leases = new Map<string, Lease>();
  /** The same leases by lock key. */
  readonly #byKey = new Map<string, Lease>();
  readonly #ended: EndedLeases;
  readonly #onEnd = (lease: Lease, end: LeaseEnd): void => this.#forget(lease, end);
  readonly #onIntentLeft = ({ key }: Lease): void => this.#options.recovery.recoverSoon(key);
  /** Leases that are held or being granted, by caller. */
  readonly #share: FairShare;
  readonly #callers = new Map<Lease, string>();
  #isClosed = false;

  constructor(options: LeaseServiceOptions) {
    this.#options = options;
    this.#bounds = leaseOptions(options.options ?? {});
    this.#ended = new EndedLeases(options.instance);
    this.#share = new FairShare(this.#bounds.max);
  }

  get size(): number {
    return this.#leases.size;
  }

  held(): LeaseView[] {
    return Array.from(this.#leases.values(), (lease) => lease.view());
  }

  async grant(key: Key, ttlMs: number, waitTimeoutMs?: number, caller = ''): Promise<LeaseGrant> {
    this.#admit(key);
    if (!this.#share.take(caller)) {
      const { max } = this.#bounds;
      throw new LockstepError(
        'RATE_LIMITED',
        `This instance holds ${max} leases, or as many of this caller as leave room for others.`,
      );
    }
    let lease: Lease | null = null;
    try {
      lease = await this.#grant(key, ttlMs, waitTimeoutMs);
      this.#callers.set(lease, caller);
      return lease.grant();
    } finally {
      if (lease === null || !this.#leases.has(lease.id)) this.#share.giveBack(caller);
    }
  }

  extend(id: string, ttlMs: number): LeaseGrant {
    return this.#held(id).extend(ttlMs);
  }

  keyOf(id: string): Key {
    return this.#held(id).key;
  }

  release(id: string): void {
    this.#held(id).end('released');
  }

  async acquire(id: string, key: Key, waitTimeoutMs?: number): Promise<LeasedLock> {
    const lease = this.#held(id);
    if (lease.key.lockKey !== key.lockKey)
      throw invalidField('Lockstep-Lease', 'must be a lease of the key that is written');
    return lease.acquire(waitTimeoutMs);
  }

  isLeased(key: Key): boolean {
    return this.#byKey.has(key.lockKey);
  }

  close(): void {
    this.#isClosed = true;
    for (const lease of [...this.#leases.values()]) lease.end('released');
  }

  #admit(key: Key): void {
    if (this.#isClosed) throw new LockstepError('SHUTTING_DOWN', 'This instance is shutting down.');
    if (isFenced(key.resource) && !this.#options.cache.available) throw cacheIsAway(key.resource);
  }

  async #grant(key: Key, ttlMs: number, waitTimeoutMs?: number): Promise<Lease> {
    const { locks, runtime, instance, recovery } = this.#options;
    const lock = await locks.acquire(key, {
      purpose: 'lease',
      ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }),
    });
    try {
      const fence = await this.#mint(key, lock);
      lock.assertHeld();
      if (this.#isClosed) this.#admit(key);
      const id = leaseIdOf(instance, runtime.ids.next());
      const lease = new Lease({
        id,
        lock,
        fence,
        ttlMs,
        runtime,
        bounds: this.#bounds,
        onEnd: this.#onEnd,
        onIntentLeft: this.#onIntentLeft,
      });
      this.#leases.set(id, lease);
      this.#byKey.set(key.lockKey, lease);
      return lease;
    } catch (error) {
      lock.release();
      if (isFenced(key.resource)) recovery.recoverSoon(key);
      throw notGranted(error);
    }
  }

  /** A fence above all that the database has seen for the key, and stored there. */
  #mint(key: Key, lock: HeldLock): Promise<number> {
    return isFenced(key.resource)
      ? this.#options.recovery.takeOver(key, lock).then(({ fence }) => fence)
      : this.#raise(key, lock);
  }

  /** Where writes mint no fences, counts up the fence in the database. */
  async #raise(key: Key, lock: HeldLock): Promise<number> {
    const { rows } = this.#options;
    let { fence } = await rows.read(key);
    for (let raise = 0; raise < MAX_RAISES; raise += 1) {
      lock.assertHeld();
      const raised = await rows.raiseFence(key, fence + 1);
      lock.noteFence(fence + 1);
      if (raised.status === 'raised') return fence + 1;
      fence = raised.storedFence;
    }
    throw new LockstepError('FENCED', 'Newer holders of this key came in between each time.');
  }

  /** @throws LockstepError with the reason why the lease is over */
  #held(id: string): Lease {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw this.#ended.errorFor(id);
    lease.assertHeld();
    return lease;
  }

  #forget(lease: Lease, end: LeaseEnd): void {
    const { key, id } = lease;
    this.#leases.delete(id);
    const caller = this.#callers.get(lease);
    if (caller !== undefined) this.#share.giveBack(caller);
    this.#callers.delete(lease);
    if (this.#byKey.get(key.lockKey) === lease) this.#byKey.delete(key.lockKey);
    this.#ended.note(id, end);
  }
}

/** Nothing was granted: a fence that may be stored but that nobody knows does no harm. */
function notGranted(error: unknown): unknown {
  if (!(error instanceof LockstepError) || error.outcome !== 'unknown') return error;
  return new LockstepError('DATABASE_UNAVAILABLE', 'The database did not answer.', {
    cause: error,
  });
}
