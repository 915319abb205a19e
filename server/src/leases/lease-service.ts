import type { EntryStore } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import { cacheIsAway, FairShare, isFenced, type Key, LockstepError } from '../domain/index.ts';
import type { LockService, HeldLock } from '../locks/port.ts';
import type { Runtime } from '../runtime/index.ts';
import { EndedLeases, type LeaseEnd, leaseIdOf } from './ended-leases.ts';
import { Lease, type LeaseWatcher } from './lease.ts';
import { leaseOptions, type LeaseOptions } from './lease-options.ts';
import type { LeaseView, LeasedLock, LeaseGrant, LeaseService } from './port.ts';

/** How often a grant asks for a higher fence when another one came in between. */
const MAX_RAISES = 3;

/** What a strict key's lease begins and may end with. */
export interface LeaseRecovery {
  /** Under a turn of the caller's: no turn before it can commit any more, and no intent of one is left. */
  takeOver(key: Key, lock: HeldLock): Promise<{ fence: number }>;
  /** Off the caller's path; never fails. */
  recoverSoon(key: Key): void;
}

export interface LeaseServiceOptions {
  /** This process's name among the coordinators. */
  instance: string;
  locks: Pick<LockService, 'acquire'>;
  rows: Pick<RowStore, 'read' | 'raiseFence'>;
  cache: Pick<EntryStore, 'available'>;
  recovery: LeaseRecovery;
  runtime: Runtime;
  options?: Partial<LeaseOptions>;
}

export function createLeaseService(parts: LeaseServiceOptions): LeaseService {
  return new HeldLeases(parts);
}

/** The leases of this process, and what callers are told of those that ended. */
class HeldLeases implements LeaseService {
  readonly #parts: LeaseServiceOptions;
  readonly #options: LeaseOptions;
  readonly #leases = new Map<string, Lease>();
  /** The same by lock key. */
  readonly #byKey = new Map<string, Lease>();
  readonly #ended: EndedLeases;
  readonly #watcher: LeaseWatcher = {
    onEnd: (lease, end) => this.#forget(lease, end),
    onUnsettled: ({ key }) => this.#parts.recovery.recoverSoon(key),
  };
  /** Leases that are held or being granted, by caller. */
  readonly #share: FairShare;
  readonly #callers = new Map<Lease, string>();
  #isClosed = false;

  constructor(parts: LeaseServiceOptions) {
    this.#parts = parts;
    this.#options = leaseOptions(parts.options ?? {});
    this.#ended = new EndedLeases(parts.instance);
    this.#share = new FairShare(this.#options.max);
  }

  get size(): number {
    return this.#leases.size;
  }

  held(): LeaseView[] {
    return Array.from(this.#leases.values(), (lease) => lease.report());
  }

  async grant(key: Key, ttlMs: number, waitTimeoutMs?: number, caller = ''): Promise<LeaseGrant> {
    this.#admit(key);
    if (!this.#share.take(caller)) {
      const { max } = this.#options;
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
    if (lease.key.lockKey !== key.lockKey) {
      const path = 'Lockstep-Lease';
      const message = 'must be a lease of the key that is written';
      throw new LockstepError('INVALID', `${path} ${message}`, {
        details: { errors: [{ path, message }] },
      });
    }
    return lease.begin(waitTimeoutMs);
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
    if (isFenced(key.resource) && !this.#parts.cache.available) throw cacheIsAway(key.resource);
  }

  async #grant(key: Key, ttlMs: number, waitTimeoutMs?: number): Promise<Lease> {
    const { locks, runtime, instance } = this.#parts;
    const lock = await locks.acquire(key, {
      purpose: 'lease',
      ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }),
    });
    try {
      const fence = await this.#mint(key, lock);
      lock.assertHeld();
      if (this.#isClosed) this.#admit(key);
      const id = leaseIdOf(instance, runtime.ids.next());
      const lease = new Lease({ id, lock, fence }, ttlMs, runtime, this.#options, this.#watcher);
      this.#leases.set(id, lease);
      this.#byKey.set(key.lockKey, lease);
      return lease;
    } catch (error) {
      lock.release();
      if (isFenced(key.resource)) this.#parts.recovery.recoverSoon(key);
      throw notGranted(error);
    }
  }

  /** A fence above all that the database has seen of the key, stored there. */
  #mint(key: Key, lock: HeldLock): Promise<number> {
    return isFenced(key.resource)
      ? this.#parts.recovery.takeOver(key, lock).then(({ fence }) => fence)
      : this.#raise(key, lock);
  }

  /** Where no write mints fences, the database's own is counted up. */
  async #raise(key: Key, lock: HeldLock): Promise<number> {
    const { rows } = this.#parts;
    let { fence } = await rows.read(key);
    for (let raise = 0; raise < MAX_RAISES; raise += 1) {
      lock.assertHeld();
      const raised = await rows.raiseFence(key, fence + 1);
      lock.noteFence(fence + 1);
      if (raised.status === 'raised') return fence + 1;
      fence = raised.storedFence;
    }
    throw new LockstepError('FENCED', 'Newer turns at this key came in between each time.');
  }

  /** @throws LockstepError how it ended, where it is over */
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

/** A fence that may be stored and is told to nobody does no harm: nothing was granted. */
function notGranted(error: unknown): unknown {
  if (!(error instanceof LockstepError) || error.outcome !== 'unknown') return error;
  return new LockstepError('DATABASE_UNAVAILABLE', 'The database did not answer.', {
    cause: error,
  });
}
