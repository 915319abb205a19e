/**
 * One hold of a strict key: the holder's write, and those of the same key that wait behind it in this process and go
 * along (docs/decisions/0038-combining-on-a-key.md).
 *
 *   intent -> gather -> transaction -> (again, for those that were fenced out or not sent) -> end the intent -> answer
 *
 * States of a member: pending -> decided (applied, refused, replayed or failed) -> answered.
 *
 * Invariants kept here:
 *   W1  an intent stands from before the first transaction is sent until the publish: this hold's, or the next one's
 *   W2  if none was applied, a fence above all of theirs is stored in the database before the intent is withdrawn
 *   W3  if the outcome of a write stays unknown, the intent stays; a recovery resolves it
 *   W4  `not_applied` is answered only if nothing was sent, or the database confirmed that it rolled back
 *   W10 with `verifyIntent`: the intent stands when the transaction commits, or the write is rolled back and tried again
 *   W16 each member has its own version, fence, answer and error
 *   W17 after an unknown outcome nothing more is sent under the same intent, and nothing is published under it
 *   W18 no member is answered before the intent has ended, or is another holder's
 */
import type { CacheOutcome } from '@lockstep/shared';
import type { Intent } from '../cache/port.ts';
import type { RowWrite, RowWriteResult } from '../database/port.ts';
import { type Key, LockstepError, type WritePhases, type WriteRequest } from '../domain/index.ts';
import type { Follower, HeldLock } from '../locks/port.ts';
import { withdraw } from './end-intents.ts';
import {
  areIntentsThere,
  intentsOf,
  MAX_MEMBERS,
  NextIntent,
  placeIntents,
  publishIntents,
  type RowIntents,
} from './intents.ts';
import { mayBeApplied } from './leased-write.ts';
import type { WriteServiceOptions } from './options.ts';
import { reachOf } from './reaching-write.ts';
import { positionNow } from './receipts.ts';
import { hasOutbox, ifMatchOf, secondDelete } from './row-write.ts';
import { type AppliedMember, type Decided, isApplied, StrictMember } from './strict-member.ts';

/** How many fences one holder tries. The database has seen a higher one only if the cache lost an entry. */
const MAX_MINTS = 3;

/**
 * Whether the write may go along with another one of its key. Not where a row has several intents, whose fences need not
 * follow one another, and not where each write looks for its own intent before it commits.
 */
export const mayGoAlong = (
  { verifyIntent }: WriteServiceOptions,
  { key: { resource } }: WriteRequest,
): boolean => verifyIntent !== true && resource.shared === undefined;

/** The intents under which the last transaction was sent, and the next write's that has replaced them since, if any. */
interface Standing {
  intents: RowIntents;
  next: Intent | null;
}

export class StrictHold {
  readonly #options: WriteServiceOptions;
  readonly #lock: HeldLock;
  readonly #key: Key;
  #pending: StrictMember[];
  readonly #decided: Decided[] = [];
  /** The highest fence that the database has seen, as far as it kept members out. */
  #storedFence = 0;

  constructor(options: WriteServiceOptions, lock: HeldLock, first: StrictMember) {
    this.#options = options;
    this.#lock = lock;
    this.#key = first.request.key;
    this.#pending = [first];
  }

  /** Answers every member. Never rejects. */
  async run(): Promise<void> {
    try {
      await this.#carryOut();
    } catch (error) {
      for (const member of this.#pending) member.fail(error);
      await this.#answerAll('pending');
    }
  }

  async #carryOut(): Promise<void> {
    let intents = await this.#firstIntents();
    for (let mints = 1; ; mints += 1) {
      const decidedBefore = this.#decided.length;
      const standing = await this.#send(intents);
      const decided = this.#decided.slice(decidedBefore);
      if (this.#pending.length === 0) return this.#conclude(standing, decided);
      if (decided.length > 0) mints = 0;
      if (mints === MAX_MINTS) break;
      const aboveFence = Math.max(intents.fence, this.#storedFence);
      intents = await this.#placeIntents(aboveFence);
    }
    this.#options.recovery.recoverSoon(this.#key);
    throw new LockstepError('FENCED', 'Newer holders of this key came in between each time.');
  }

  /** Step 2, unless the previous holder did it for this one. */
  async #firstIntents(): Promise<RowIntents> {
    const { handedOverIntent } = this.#lock;
    if (handedOverIntent === null) return this.#placeIntents(0);
    return intentsOf([{ key: this.#key, intent: handedOverIntent }]);
  }

  #placeIntents(aboveFence: number): Promise<RowIntents> {
    this.#lock.assertHeld();
    return this.#timed('intentMs', () =>
      placeIntents(this.#options, this.#key, aboveFence, MAX_MEMBERS),
    );
  }

  /** Step 3, for all that are pending and those that wait behind them. If it fails, a recovery resolves the intents. */
  async #send(intents: RowIntents): Promise<Standing> {
    const { fence } = intents;
    this.#lock.noteFence(fence);
    try {
      this.#lock.assertHeld();
      if (this.#decided.length === 0) this.#gather();
      const members = this.#pending;
      // The last one has the intent's own fence, the others those below it that are reserved with it.
      const fences = members.map((_, index) => fence - (members.length - 1 - index));
      const writes = members.map((member, index) => this.#rowWrite(member, fences[index], intents));
      const placing = new NextIntent(this.#options, this.#key, this.#lock, fence);
      const results = await this.#timed('transactionMs', () => this.#write(writes));
      const next = await placing.end();
      this.#pending = [];
      for (const [index, member] of members.entries())
        this.#note(member, results[index] ?? null, fences[index] ?? fence);
      return { intents, next };
    } catch (error) {
      this.#options.recovery.recoverSoon(this.#key);
      throw error;
    }
  }

  /** Takes along those that wait behind the holder. */
  #gather(): void {
    const [first] = this.#pending;
    if (first === undefined || !mayGoAlong(this.#options, first.request)) return;
    const { resource } = this.#key;
    const isAlike = (other: Follower): boolean =>
      other instanceof StrictMember && other.request.key.resource === resource;
    for (const follower of this.#lock.takeFollowers(MAX_MEMBERS - 1, isAlike))
      if (follower instanceof StrictMember) this.#pending.push(follower);
  }

  /** As `RowStore.writeInOrder`. */
  async #write(writes: readonly RowWrite[]): Promise<(RowWriteResult | Error | null)[]> {
    const { rows } = this.#options;
    const [only] = writes;
    return only === undefined || writes.length > 1
      ? rows.writeInOrder(writes)
      : [await rows.write(only)];
  }

  #rowWrite({ request }: StrictMember, fence: number | undefined, intents: RowIntents): RowWrite {
    const { key, change, idempotency } = request;
    return {
      ...{ key, change, fence: fence ?? intents.fence, outbox: hasOutbox(key.resource) },
      ...secondDelete(this.#options, key.resource),
      ...reachOf(this.#options, key.resource),
      ...ifMatchOf(request),
      ...(idempotency === undefined ? {} : { idempotency }),
      ...(this.#options.verifyIntent === true
        ? { verify: () => areIntentsThere(this.#options, intents) }
        : {}),
    };
  }

  /** @param result null: it was not sent */
  #note(member: StrictMember, result: RowWriteResult | Error | null, fence: number): void {
    const { telemetry } = this.#options;
    const key = this.#key;
    if (result === null) this.#pending.push(member);
    else if (result instanceof Error) this.#decided.push({ member, decision: result, fence });
    else if (result.status === 'unverified') {
      telemetry.emit({ type: 'intent-lost', key, fence });
      this.#pending.push(member);
    } else if (result.status === 'fenced') {
      const { storedFence } = result;
      telemetry.emit({ type: 'write-fenced', key, fence, storedFence });
      this.#storedFence = Math.max(this.#storedFence, storedFence);
      this.#pending.push(member);
    } else this.#decided.push({ member, decision: result, fence });
  }

  /**
   * Step 4. Members of earlier transactions that stayed unknown are no obstacle once a fence of the last one is stored:
   * they can no longer commit.
   * @param last the members that the last transaction has decided
   */
  async #conclude(standing: Standing, last: readonly Decided[]): Promise<void> {
    const isUnknown = last.some(
      ({ decision }) => decision instanceof Error && mayBeApplied(decision),
    );
    if (!isUnknown && last.some(isApplied)) return this.#publish(standing);
    if (isUnknown || last.every(({ decision }) => decision instanceof Error)) {
      this.#options.recovery.recoverSoon(this.#key);
      return this.#answerAll('pending');
    }
    const recorded = await this.#withdraw(standing, last);
    return this.#answerAll('invalidated', recorded);
  }

  async #publish({ intents, next }: Standing): Promise<void> {
    const key = this.#key;
    const last = this.#lastApplied;
    const handedOver = next !== null && this.#lock.canHandOverIntent() ? next : undefined;
    const standing = next === null ? intents : intentsOf([{ key, intent: next }]);
    // A tombstone if the transaction began under another intent, since an invalidation may have marked that one (E6).
    const leave = next === null ? 'value' : 'tombstone';
    const publishing: Promise<CacheOutcome | null> =
      last === undefined || handedOver !== undefined
        ? Promise.resolve('invalidated')
        : this.#timed('publishMs', () =>
            publishIntents(this.#options, key, standing, last.decision, leave),
          );
    const answering = this.#answerAll(publishing);
    // The next holder may begin. Its intent stands already, or it follows this publish on the same connection. Even
    // if it overtook the publish, the publish would leave it alone (E5).
    this.#lock.release(handedOver);
    await answering;
  }

  /** @returns the refused member whose outcome is stored with the fence, if any */
  async #withdraw({ intents, next }: Standing, last: readonly Decided[]): Promise<Decided | null> {
    const key = this.#key;
    const standing = next === null ? intents : intentsOf([{ key, intent: next }]);
    for (const decided of last) {
      const { decision, member } = decided;
      if (decision instanceof Error || decision.status !== 'refused') continue;
      await withdraw(this.#options, member.request, standing, decision.refusal);
      return decided;
    }
    await withdraw(this.#options, { key }, standing, null);
    return null;
  }

  /** @param own what is true of the key's own entry, for the last write that was applied; null if the key is not strict */
  async #answerAll(
    own: CacheOutcome | Promise<CacheOutcome | null>,
    recorded: Decided | null = null,
  ): Promise<void> {
    const end = this.#end(own, recorded);
    const answering = this.#decided.map((decided) =>
      decided.member.answer(this.#options, decided, end),
    );
    for (const answered of answering) await answered;
  }

  async #end(own: CacheOutcome | Promise<CacheOutcome | null>, recorded: Decided | null) {
    const last = this.#lastApplied;
    const hasPosition = last !== undefined && this.#options.log !== undefined;
    const asking = hasPosition ? positionNow(this.#options) : undefined;
    return { own: await own, position: await asking, last, recorded };
  }

  get #lastApplied(): AppliedMember | undefined {
    return this.#decided.findLast(isApplied);
  }

  /** Adds the time to the phases of every member that is there when it ends. */
  async #timed<T>(phase: keyof WritePhases, run: () => Promise<T>): Promise<T> {
    const { clock } = this.#options.runtime;
    const startMs = clock.nowMs();
    try {
      return await run();
    } finally {
      const tookMs = clock.nowMs() - startMs;
      for (const { phases } of this.#pending) phases[phase] = (phases[phase] ?? 0) + tookMs;
      for (const { member } of this.#decided)
        member.phases[phase] = (member.phases[phase] ?? 0) + tookMs;
    }
  }
}
