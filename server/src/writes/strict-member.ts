/** A write that goes through in a hold (`strict-hold.ts`), and its answer. */
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

/** What was found out for all members of a hold. */
export interface HoldEnd {
  /** What is true of the key's own entry, for the member that was applied last; null if the key is not strict. */
  own: CacheOutcome | null;
  position: LogPosition | null | undefined;
  /** The refused member whose outcome is stored with the fence already. */
  recorded: Decided | null;
  last: AppliedMember | undefined;
}

type Answer = { receipt: WriteReceipt } | { error: unknown };

export class StrictMember implements Follower {
  readonly request: WriteRequest;
  readonly phases: WritePhases;
  waitMs = 0;
  #answer: Answer | null = null;
  /** Told of the answer when there is one; null while nobody waits for it. */
  #onAnswer: ((answer: Answer) => void) | null = null;

  constructor(request: WriteRequest, phases: WritePhases) {
    this.request = request;
    this.phases = phases;
  }

  /** What its caller is told; waits until the hold has answered it. */
  async receipt(): Promise<WriteReceipt> {
    const answer =
      this.#answer ?? (await new Promise<Answer>((resolve) => (this.#onAnswer = resolve)));
    if ('receipt' in answer) return answer.receipt;
    throw answer.error;
  }

  #settle(answer: Answer): void {
    this.#answer = answer;
    this.#onAnswer?.(answer);
  }

  taken(waitMs: number): void {
    this.waitMs = waitMs;
    this.phases.queueMs = waitMs;
  }

  fail(error: unknown): void {
    this.#settle({ error });
  }

  /** Finishes what is left to do for the write, and answers its caller. Never rejects. */
  async answer(
    options: WriteServiceOptions,
    decided: Decided,
    end: Promise<HoldEnd>,
  ): Promise<void> {
    try {
      this.#settle({ receipt: await this.#receipt(options, decided, end) });
    } catch (error) {
      this.#settle({ error });
    }
  }

  async #receipt(
    options: WriteServiceOptions,
    decided: Decided,
    end: Promise<HoldEnd>,
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
    end: Promise<HoldEnd>,
  ): Promise<WriteReceipt> {
    const { request, waitMs } = this;
    const { decision, fence } = decided;
    const { own, position, last } = await end;
    const mine = decided === last ? own : hidden(own);
    const cache = await invalidateBeside(options, request.key, decision, mine);
    if (decision.reached !== undefined) await invalidateReached(options, decision.reached);
    return receiptOf(request, decision, { cache, fence, waitMs, ...positioned(position) });
  }
}

/** What is true for a write that others of its hold have overtaken: its value is nowhere, nor is an older one. */
const hidden = (own: CacheOutcome | null): CacheOutcome | null =>
  own === 'fresh' ? 'invalidated' : own;
