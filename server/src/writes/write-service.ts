import type { CacheOutcome } from '@lockstep/shared';
import {
  assertHasRows,
  isFenced,
  type Key,
  LockstepError,
  type NewKeys,
  type NewKeysRequest,
  rulesOf,
  type SetReceipt,
  type SetRequest,
  toLockstepError,
  type TransactionRequest,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
  type WriteStrategy,
} from '../domain/index.ts';
import { type AskedInvalidationOptions, invalidateAsked } from './asked-invalidation.ts';
import { writeAfterLease, writeWithinLease } from './leased-write.ts';
import { newKeys } from './new-keys.ts';
import type { PolicyWrite, WriteServiceOptions } from './options.ts';
import { plainWrite } from './plain-write.ts';
import type { WriteService } from './port.ts';
import { ReachesStrict, transactReaching, writeReaching } from './reaching-write.ts';
import { replay, replayTogether } from './receipts.ts';
import { setWrite } from './set-write.ts';
import { strictWrite } from './strict-write.ts';
import { transact } from './transaction.ts';

/** Carries out each write by the strategy of its resource's policy, and reports it to telemetry. */
export class PolicyWriteService implements WriteService {
  readonly #options: WriteServiceOptions & AskedInvalidationOptions;

  constructor(options: WriteServiceOptions & AskedInvalidationOptions) {
    this.#options = options;
  }

  async write(request: WriteRequest): Promise<WriteReceipt> {
    const startMs = this.#options.runtime.clock.nowMs();
    const phases: WritePhases = {};
    try {
      const receipt = await this.#write(request, phases);
      this.#report(request, startMs, phases, receipt);
      return receipt;
    } catch (error) {
      this.#report(request, startMs, phases, toLockstepError(error));
      throw error;
    }
  }

  newKeys(request: NewKeysRequest): Promise<NewKeys> {
    return newKeys(this.#options, request);
  }

  async transact(request: TransactionRequest): Promise<WriteReceipt[]> {
    const startMs = this.#options.runtime.clock.nowMs();
    const phases: WritePhases = {};
    try {
      const receipts = await this.#transact(request, phases);
      for (const [index, write] of request.writes.entries()) {
        const receipt = receipts[index];
        if (receipt !== undefined) this.#report(write, startMs, phases, receipt);
      }
      return receipts;
    } catch (error) {
      const failure = toLockstepError(error);
      for (const write of request.writes) this.#report(write, startMs, phases, failure);
      throw error;
    }
  }

  async writeSet(request: SetRequest): Promise<SetReceipt> {
    const startMs = this.#options.runtime.clock.nowMs();
    const phases: WritePhases = {};
    const { change } = request;
    const set = setWrite(this.#options, request, phases);
    try {
      const receipt = await set.run();
      for (const each of receipt.receipts)
        this.#report({ key: each.key, change }, startMs, phases, each);
      return receipt;
    } catch (error) {
      const failure = toLockstepError(error);
      for (const key of set.tried) this.#report({ key, change }, startMs, phases, failure);
      throw error;
    }
  }

  invalidate(keys: readonly Key[], cacheKeys: readonly string[]): Promise<CacheOutcome[]> {
    return invalidateAsked(this.#options, keys, cacheKeys);
  }

  async #write(request: WriteRequest, phases: WritePhases): Promise<WriteReceipt> {
    assertHasRows(request.key.resource);
    const { idempotency } = request;
    const looksFirst = request.isNewKey !== true && this.#waits(request);
    if (idempotency !== undefined && looksFirst) {
      const record = await this.#options.rows.findOutcome(idempotency.key);
      if (record !== null) return replay(this.#options, { ...request, idempotency }, record);
    }
    try {
      return await this.#dispatch(request, phases);
    } catch (error) {
      if (!(error instanceof ReachesStrict)) throw error;
      return writeReaching(transact, this.#options, request, phases, error.keys);
    }
  }

  /**
   * Whether the write has to wait for a lock or a lease: a repeat of an idempotency key is then looked for before that.
   * Any other write meets the stored outcome in its own statement.
   */
  #waits({ key, leaseId }: WriteRequest): boolean {
    return isFenced(key.resource) || leaseId !== undefined || this.#options.leases.isLeased(key);
  }

  #dispatch(request: WriteRequest, phases: WritePhases): Promise<WriteReceipt> {
    const { key, leaseId } = request;
    const isStrictWrite = isFenced(key.resource);
    const policyWrite = STRATEGIES[isStrictWrite ? 'strict' : rulesOf(key.resource).write];
    if (leaseId !== undefined)
      return writeWithinLease(leaseId, this.#options, request, phases, policyWrite);
    // A strict write acquires the lock itself, and so waits for a lease of any process.
    return isStrictWrite || !this.#options.leases.isLeased(key)
      ? policyWrite(this.#options, request, phases)
      : writeAfterLease(this.#options, request, phases, policyWrite);
  }

  async #transact(request: TransactionRequest, phases: WritePhases): Promise<WriteReceipt[]> {
    for (const { key } of request.writes) assertHasRows(key.resource);
    const { idempotency } = request;
    const isLookedFor = request.writes.some(({ isNewKey }) => isNewKey === true);
    if (idempotency !== undefined && !isLookedFor) {
      const record = await this.#options.rows.findOutcome(idempotency.key);
      if (record !== null) return replayTogether(this.#options, request, record);
    }
    return transactReaching(transact, this.#options, request, phases);
  }

  #report(
    request: Pick<WriteRequest, 'key' | 'change'>,
    startMs: number,
    phases: WritePhases,
    end: WriteReceipt | LockstepError,
  ): void {
    const { telemetry, runtime } = this.#options;
    const failed = end instanceof LockstepError;
    telemetry.emit({
      type: 'write',
      key: request.key,
      op: request.change.op,
      outcome: end.outcome,
      code: failed ? end.code : null,
      cache: failed ? 'none' : end.cache,
      version: failed ? null : end.version,
      fence: failed ? null : end.fence,
      replayed: !failed && end.replayed,
      phases,
      totalMs: runtime.clock.nowMs() - startMs,
    });
  }
}

/** If any resource over a row is strict, its writes are `strict` through every other resource as well. */
const STRATEGIES: Readonly<Record<WriteStrategy, PolicyWrite>> = {
  strict: strictWrite,
  plain: plainWrite,
};
