import type { EntryStore } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import {
  cacheIsAway,
  FairShare,
  type GuardStep,
  invalidField,
  isStrict,
  type Key,
  keyFromText,
  LockstepError,
  type Resource,
  strictKeys,
  type Telemetry,
} from '../domain/index.ts';
import { leaseIdOf } from '../leases/index.ts';
import type { HeldLock, LockService } from '../locks/port.ts';
import { atMost, type Runtime } from '../runtime/index.ts';
import { invalidatesOthers, placeIntents, type WriterRecovery } from '../writes/index.ts';
import { type ConcludeOptions, decide, type GuardKey, type Told } from './conclude.ts';
import { EndedGuards, guardLost, isAppliedIn, unknownGuard } from './ended-guards.ts';
import { Guard, type LockedGuardKey } from './guard.ts';
import { guardOptions, type GuardOptions } from './guard-options.ts';
import type { GuardedResult, GuardGrant, GuardService, GuardStore } from './port.ts';

/** How many fences it tries for a key. The database has seen a higher one only if the cache lost an entry. */
const MAX_MINTS = 3;

export interface GuardServiceOptions {
  /** The name of this process among the coordinators. */
  instance: string;
  locks: Pick<LockService, 'acquire' | 'waitTimeoutMs'>;
  rows: Pick<RowStore, 'read' | 'raiseFence'>;
  cache: EntryStore;
  store: GuardStore;
  recovery: WriterRecovery;
  /** Every resource by name, as configured now. */
  resources: ReadonlyMap<string, Resource>;
  telemetry: Telemetry;
  runtime: Runtime;
  options?: Partial<GuardOptions>;
}

/** The guards of this process, and what became of past ones (docs/SPEC.md, section "Guarded transactions"). */
export class HeldGuards implements GuardService {
  readonly #options: GuardServiceOptions;
  readonly #conclude: ConcludeOptions;
  readonly #guards = new Map<string, Guard>();
  readonly #ended = new EndedGuards();
  /** Guards that are held or being taken, by caller. */
  readonly #share: FairShare;
  readonly #callers = new Map<string, string>();
  #isClosed = false;

  constructor(options: GuardServiceOptions) {
    this.#options = options;
    this.#conclude = options;
    this.#share = new FairShare(guardOptions(options.options ?? {}).max);
  }

  get database(): string {
    return this.#options.store.database;
  }

  get size(): number {
    return this.#guards.size;
  }

  async take(
    keys: readonly Key[],
    ttlMs: number,
    waitTimeoutMs?: number,
    caller = '',
  ): Promise<GuardGrant> {
    this.#admit(keys);
    if (!this.#share.take(caller)) {
      throw new LockstepError(
        'RATE_LIMITED',
        `This instance holds ${this.#share.limit} guards, or as many of this caller as leave room for others.`,
      );
    }
    let guard: Guard | null = null;
    try {
      guard = await this.#take(keys, ttlMs, waitTimeoutMs);
      this.#guards.set(guard.id, guard);
      this.#callers.set(guard.id, caller);
      this.#options.telemetry.emit({ type: 'guard', step: 'taken' });
      return guard.grant();
    } finally {
      if (guard === null) this.#share.giveBack(caller);
    }
  }

  async grantOf(id: string): Promise<GuardGrant> {
    const guard = this.#guards.get(id);
    if (guard !== undefined) return guard.grant();
    const end = this.#ended.of(id);
    // Only of a guard that ran out here is it certain that the question changes nothing.
    if (end?.how !== 'lost') throw unknownGuard(id, this.#options.instance, end);
    throw guardLost((await this.#ofEnded(id)).each);
  }

  async commit(id: string): Promise<readonly GuardedResult[]> {
    const results = (await this.#tell(id, 'committed')) ?? (await this.#ofEnded(id));
    // Only a transaction that called `lockstep_guard` is one of this guard.
    if (results.isLost || !isAppliedIn(results.each)) throw guardLost(results.each);
    return results.each;
  }

  async rollback(id: string): Promise<void> {
    const { each } = (await this.#tell(id, 'rolled-back')) ?? (await this.#ofEnded(id));
    if (isAppliedIn(each)) throw guardLost(each);
    this.#ended.note(id, { how: 'told' });
  }

  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    const guards = [...this.#guards.values()];
    const ending = Promise.all(guards.map((guard) => this.#ranOut(guard)));
    await atMost(this.#options.runtime.timers, timeoutMs, ending);
    for (const guard of guards) guard.giveUp();
  }

  #admit(keys: readonly Key[]): void {
    if (this.#isClosed) throw new LockstepError('SHUTTING_DOWN', 'This instance is shutting down.');
    const [first] = keys;
    if (first !== undefined && !this.#options.cache.available) throw cacheIsAway(first.resource);
    const byRow = new Map<string, number>();
    for (const [index, { resource, lockKey }] of keys.entries()) {
      if (!isStrict(resource)) {
        const text =
          'is not strict; allowed: strict resources. For others, lockstep_invalidate in the transaction is enough';
        throw invalidField(`keys.${index}.resource`, text);
      }
      const same = byRow.get(lockKey);
      if (same !== undefined)
        throw invalidField(`keys.${index}.key`, `names the same row as keys.${same}.key`);
      byRow.set(lockKey, index);
    }
  }

  async #take(keys: readonly Key[], ttlMs: number, waitTimeoutMs?: number): Promise<Guard> {
    const { runtime, recovery, store, instance } = this.#options;
    const locks = await this.#acquireAll(keys, waitTimeoutMs);
    try {
      const id = leaseIdOf(instance, runtime.ids.next());
      const locked = await Promise.all(locks.map((lock) => this.#guardKey(lock)));
      await store.add(
        locked.map(({ key, fence }) => ({
          ...{ guard: id, key, fence, hasOthers: invalidatesOthers(key.resource) },
        })),
      );
      for (const lock of locks) lock.assertHeld();
      if (this.#isClosed) this.#admit([]);
      const inOrder = keys.flatMap((key) => locked.filter((each) => each.key === key));
      return new Guard({
        ...{ id, keys: inOrder, ttlMs, runtime, conclude: this.#conclude },
        onOverdue: (guard) => void this.#ranOut(guard),
      });
    } catch (error) {
      for (const lock of locks) lock.release();
      for (const key of keys) recovery.recoverSoon(key);
      throw notTaken(error);
    }
  }

  /** One after the other in the order of their lock keys, as transactions do, so that no two wait for each other (T4). */
  async #acquireAll(keys: readonly Key[], waitTimeoutMs?: number): Promise<HeldLock[]> {
    const { locks, runtime } = this.#options;
    const untilMs = runtime.clock.nowMs() + (waitTimeoutMs ?? locks.waitTimeoutMs);
    const held: HeldLock[] = [];
    try {
      const inOrder = [...keys].sort((one, other) => (one.lockKey < other.lockKey ? -1 : 1));
      for (const key of inOrder) {
        const leftMs = Math.max(1, untilMs - runtime.clock.nowMs());
        held.push(await locks.acquire(key, { purpose: 'guard', waitTimeoutMs: leftMs }));
      }
      return held;
    } catch (error) {
      for (const lock of held) lock.release();
      throw error;
    }
  }

  async #guardKey(lock: HeldLock): Promise<LockedGuardKey> {
    const { rows } = this.#options;
    const { key } = lock;
    let aboveFence = 0;
    for (let mint = 0; mint < MAX_MINTS; mint += 1) {
      lock.assertHeld();
      const [intents, current] = await Promise.all([
        placeIntents(this.#options, key, aboveFence),
        rows.read(key),
      ]);
      const { fence } = intents;
      lock.noteFence(fence);
      if (current.fence < fence) return { key, lock, intents, fence, version: current.version };
      aboveFence = Math.max(aboveFence, current.fence);
    }
    throw new LockstepError('FENCED', 'Newer holders of this key came in between each time.');
  }

  /** @returns null if the guard is not held here (any more) */
  async #tell(id: string, told: Told): Promise<Ended | null> {
    const guard = this.#guards.get(id);
    if (guard === undefined) return null;
    const each = await guard.tell(told);
    if (each === null) return null;
    const isApplied = isAppliedIn(each);
    const isAgreed = told === 'committed' ? isApplied : told === 'rolled-back' && !isApplied;
    this.#forget(guard, isAgreed ? stepOf(told) : 'lost');
    this.#ended.note(id, isAgreed ? { how: 'told' } : { how: 'lost', results: each });
    if (isAgreed) this.#remove(guard);
    return { each, isLost: !isAgreed };
  }

  /** Its time is over: ends it as if it had been told that the transaction was rolled back. Never rejects. */
  async #ranOut(guard: Guard): Promise<void> {
    const { log } = this.#options.runtime;
    try {
      await this.#tell(guard.id, 'nothing');
    } catch (error) {
      log.debug({ err: error }, 'a guard ran out, and its intents stay for recovery');
      guard.giveUp();
      this.#forget(guard, 'lost');
      this.#ended.note(guard.id, { how: 'lost', results: null });
    }
  }

  /** What the database says of a guard that is not held here: one that ran out, or that another process held. */
  async #ofEnded(id: string): Promise<Ended> {
    const { store, resources, recovery, cache, instance } = this.#options;
    const end = this.#ended.of(id);
    if (end?.how === 'lost' && end.results !== null) return { each: end.results, isLost: true };
    if (end?.how === 'told') throw unknownGuard(id, instance, end);
    const keys = (await store.calls(id)).flatMap(
      ({ resource: name, keyText, fence }): GuardKey[] => {
        const resource = resources.get(name);
        return resource === undefined ? [] : [{ key: keyFromText(resource, keyText), fence }];
      },
    );
    if (keys.length === 0) throw unknownGuard(id, instance, end);
    const decided = await decide(this.#options, id, keys, 'nothing');
    const each = decided.map(({ guarded: { key }, calledVersion, row }): GuardedResult => {
      const version = calledVersion ?? row.version;
      return { key, version, isApplied: calledVersion !== null, cache: 'pending' };
    });
    // The intents are another process's: a recovery ends them. Should the cache have lost one, nothing older stays.
    const entries = keys.flatMap(({ key }) => strictKeys(key));
    if (cache.available)
      await cache.invalidateMany(entries.map(({ cacheKey }) => ({ cacheKey, version: null })));
    for (const { key } of keys) recovery.recoverSoon(key);
    this.#ended.note(id, { how: 'lost', results: each });
    return { each, isLost: true };
  }

  #forget(guard: Guard, step: GuardStep): void {
    if (!this.#guards.delete(guard.id)) return;
    this.#options.telemetry.emit({ type: 'guard', step });
    const caller = this.#callers.get(guard.id);
    if (caller !== undefined) this.#share.giveBack(caller);
    this.#callers.delete(guard.id);
  }

  /** Nobody will ask for it any more. Returns at once. */
  #remove({ keys }: Guard): void {
    const { store, runtime } = this.#options;
    store.remove(keys).catch((error: unknown) => {
      runtime.log.debug({ err: error }, 'the rows of a guard stay until they are pruned');
    });
  }
}

/** What became of the keys. `isLost`: the guard had run out, or the database says otherwise than its caller. */
interface Ended {
  each: readonly GuardedResult[];
  isLost: boolean;
}

const stepOf = (told: Told): GuardStep => (told === 'committed' ? 'committed' : 'rolled_back');

/** Nothing was given out: fences that nobody knows do no harm. */
function notTaken(error: unknown): unknown {
  if (!(error instanceof LockstepError) || error.outcome !== 'unknown') return error;
  return new LockstepError('DATABASE_UNAVAILABLE', 'The database did not answer.', {
    cause: error,
  });
}
