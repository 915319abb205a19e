import type { CacheOutcome } from '@lockstep/shared';
import {
  assertHasRows,
  type Key,
  LockstepError,
  toLockstepError,
  type TransactionRequest,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import type { AskedInvalidation } from '../outbox/port.ts';
import { writeByLease } from './leased-write.ts';
import type { PolicyWrite, WriteParts } from './parts.ts';
import { plainWrite } from './plain-write.ts';
import type { WriteService } from './port.ts';
import { ReachesStrict, transactReaching, writeReaching } from './reaching-write.ts';
import { replay } from './replay.ts';
import { replayTogether } from './replay-together.ts';
import { strictWrite } from './strict-write.ts';
import { transact } from './transaction.ts';

/** Carries out each write by its resource's policy, and reports it. */
export class PolicyWriteService implements WriteService {
  readonly #parts: WriteParts;

  constructor(parts: WriteParts) {
    this.#parts = parts;
  }

  async write(request: WriteRequest): Promise<WriteReceipt> {
    const startMs = this.#parts.runtime.clock.nowMs();
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

  async transact(request: TransactionRequest): Promise<WriteReceipt[]> {
    const startMs = this.#parts.runtime.clock.nowMs();
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

  async invalidate(keys: readonly Key[], cacheKeys: readonly string[]): Promise<CacheOutcome[]> {
    const items: { cacheKey: string; pending: AskedInvalidation; key: Key | null }[] = [
      ...keys.map((key) => ({
        cacheKey: key.cacheKey,
        pending: { resource: key.resource.name, keyText: key.text },
        key,
      })),
      ...cacheKeys.map((cacheKey) => ({ cacheKey, pending: { cacheKey }, key: null })),
    ];
    const { cache, outbox, telemetry } = this.#parts;
    const results = cache.available
      ? await cache.invalidateMany(items.map(({ cacheKey }) => ({ cacheKey, version: null })))
      : items.map(() => new LockstepError('CACHE_UNAVAILABLE', 'The cache does not answer.'));
    const failed = items.filter((_, index) => results[index] instanceof Error);
    if (failed.length > 0) {
      await outbox.append(failed.map(({ pending }) => pending));
      outbox.wake();
    }
    for (const { key } of items)
      if (key !== null) telemetry.emit({ type: 'invalidated', key, by: 'api', version: 0 });
    return results.map((result) => (result instanceof Error ? 'pending' : 'invalidated'));
  }

  async #write(request: WriteRequest, phases: WritePhases): Promise<WriteReceipt> {
    assertHasRows(request.key.resource);
    const { idempotency } = request;
    if (idempotency !== undefined) {
      const record = await this.#parts.rows.findOutcome(idempotency.key);
      if (record !== null) return replay(this.#parts, { ...request, idempotency }, record);
    }
    try {
      return await writeByLease(this.#parts, request, phases, policyWrite(request));
    } catch (error) {
      if (!(error instanceof ReachesStrict)) throw error;
      return writeReaching(transact, this.#parts, request, phases, error.keys);
    }
  }

  async #transact(request: TransactionRequest, phases: WritePhases): Promise<WriteReceipt[]> {
    for (const { key } of request.writes) assertHasRows(key.resource);
    const { idempotency } = request;
    if (idempotency !== undefined) {
      const record = await this.#parts.rows.findOutcome(idempotency.key);
      if (record !== null) return replayTogether(this.#parts, request, record);
    }
    return transactReaching(transact, this.#parts, request, phases);
  }

  #report(
    request: Pick<WriteRequest, 'key' | 'change'>,
    startMs: number,
    phases: WritePhases,
    end: WriteReceipt | LockstepError,
  ): void {
    const { telemetry, runtime } = this.#parts;
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

function policyWrite({ key }: WriteRequest): PolicyWrite {
  switch (key.resource.policy) {
    case 'strict':
      return strictWrite;
    case 'delete-after-write':
    case 'delayed-double-delete':
    case 'change-log':
    case 'refresh':
    case 'none':
      return plainWrite;
  }
}
