/** A write that goes through in a turn (`strict-turn.ts`), and its answer. */
import type { CacheOutcome } from '@lockstep/shared';
import type { RowWriteResult } from '../database/port.ts';
import {
  type LogPosition,
  LockstepError,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import type { Follower } from '../locks/port.ts';
import { invalidateReached } from './cache-step.ts';
import { invalidateBeside } from './end-intents.ts';
import type { WriteServiceOptions } from './options.ts';
import { ReachesStrict } from './reaching-write.ts';
import { positioned, receiptOf, replay } from './receipts.ts';
import { refusalError } from './refusals.ts';

/** What the database made of it: its result, or the error of one that may have been sent. */
export type Decision = Exclude<RowWriteResult, { status: 'fenced' | 'unverified' }> | Error;

/** A member whose write is decided. */
export interface Decided<D extends Decision = Decision> {
  readonly member: StrictMember;
  readonly decision: D;
  readonly fence: number;
}

export type AppliedMember = Decided<Extract<Decision, { status: 'applied' }>>;

export const isApplied = (decided: Decided): decided is AppliedMember =>
  !(decided.decision instanceof Error) && decided.decision.status === 'applied';

/** What was found out for all members of a turn. */
export interface TurnEnd {
  /** What is true of the key's own entry, for the member that was applied last; null if the key is not strict. */
  own: CacheOutcome | null;
  position: LogPosition | null | undefined;
  /** The refused member whose outcome is stored with the fence already. */
  recorded: Decided | null;
  last: AppliedMember | undefined;
}

export class StrictMember implements Follower {
  readonly request: WriteRequest;
  readonly phases: WritePhases;
  /** Settled by `answer` or `fail`. */
  readonly receipt: Promise<WriteReceipt>;
  waitMs = 0;
  #resolve: (receipt: WriteReceipt) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(request: WriteRequest, phases: WritePhases) {
    this.request = request;
    this.phases = phases;
    this.receipt = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Its caller asks for it only when the turn is over.
    this.receipt.catch(() => undefined);
  }

  taken(waitMs: number): void {
    this.waitMs = waitMs;
    this.phases.queueMs = waitMs;
  }

  fail(error: unknown): void {
    this.#reject(error);
  }

  /** Finishes what is left to do for the write, and answers its caller. Never rejects. */
  async answer(
    options: WriteServiceOptions,
    decided: Decided,
    end: Promise<TurnEnd>,
  ): Promise<void> {
    try {
      this.#resolve(await this.#receipt(options, decided, end));
    } catch (error) {
      this.#reject(error);
    }
  }

  async #receipt(
    options: WriteServiceOptions,
    decided: Decided,
    end: Promise<TurnEnd>,
  ): Promise<WriteReceipt> {
    const { request } = this;
    const { key, idempotency } = request;
    if (isApplied(decided)) return this.#applied(options, decided, end);
    const { decision } = decided;
    const { recorded } = await end;
    if (decision instanceof Error) throw decision;
    switch (decision.status) {
      case 'refused':
        if (idempotency !== undefined && recorded !== decided)
          await options.rows.recordRefusal(key, idempotency, decision.refusal);
        throw refusalError(key, decision.refusal);
      case 'reaches':
        throw new ReachesStrict(decision.keys);
      case 'replayed':
        if (idempotency === undefined)
          throw new LockstepError('INTERNAL', 'A replay without an idempotency key.');
        return replay(options, { ...request, idempotency }, decision.record);
      case 'applied':
        throw new LockstepError('INTERNAL', 'A member is applied and is not.');
    }
  }

  async #applied(
    options: WriteServiceOptions,
    decided: AppliedMember,
    end: Promise<TurnEnd>,
  ): Promise<WriteReceipt> {
    const { request, waitMs } = this;
    const { decision, fence } = decided;
    const { own, position, last } = await end;
    const mine = decided === last ? own : hidden(own);
    const [cache] = await Promise.all([
      invalidateBeside(options, request.key, decision, mine),
      invalidateReached(options, decision.reached),
    ]);
    return receiptOf(request, decision, { cache, fence, waitMs, ...positioned(position) });
  }
}

/** What is true for a write that others of its turn have overtaken: its value is nowhere, nor is an older one. */
const hidden = (own: CacheOutcome | null): CacheOutcome | null =>
  own === 'fresh' ? 'invalidated' : own;
