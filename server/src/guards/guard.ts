/**
 * One guard: the keys that this process holds for a caller's own transaction.
 *
 * States
 *   held    its time runs, its caller may tell
 *   ending  what it was told is carried out; back to held if the database does not answer
 *   over    final; its locks are given back
 *
 * Invariants
 *   - Only one thing that it is told is carried out at a time.
 *   - Once its time is over it ends as if it had been told nothing; if the database does not answer then, its intents
 *     stay, and a recovery ends them (W21).
 *   - Its locks are given back once.
 */
import type { HeldLock } from '../locks/port.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import {
  type ConcludeOptions,
  decide,
  endIntents,
  type HeldGuardKey,
  type Told,
} from './conclude.ts';
import type { GuardedKey, GuardedResult, GuardGrant } from './port.ts';

/** How long the locks may outlast the guard, so that what it was told can be carried out. */
export const END_SLACK_MS = 5_000;

export interface LockedGuardKey extends HeldGuardKey, GuardedKey {
  lock: HeldLock;
}

export interface NewGuardOptions {
  id: string;
  keys: readonly LockedGuardKey[];
  ttlMs: number;
  conclude: ConcludeOptions;
  runtime: Runtime;
  /** Its time is over. */
  onOverdue: (guard: Guard) => void;
}

export class Guard {
  readonly id: string;
  readonly keys: readonly LockedGuardKey[];
  readonly #options: NewGuardOptions;
  readonly #expiresAtMs: number;
  readonly #timer: Timer;
  #ending: Promise<unknown> = Promise.resolve();
  #isOver = false;

  constructor(options: NewGuardOptions) {
    const { id, keys, ttlMs, runtime, onOverdue } = options;
    this.id = id;
    this.keys = keys;
    this.#options = options;
    this.#expiresAtMs = Math.round(runtime.clock.wallMs() + ttlMs);
    for (const { lock } of keys) lock.limitTo(ttlMs + END_SLACK_MS);
    this.#timer = runtime.timers.after(ttlMs, () => onOverdue(this));
  }

  grant(): GuardGrant {
    return { id: this.id, keys: this.keys, expiresAtMs: this.#expiresAtMs };
  }

  /**
   * Carries out what it was told, after what it was told before.
   * @returns null if it is over by then
   * @throws LockstepError if the database does not answer: it is still held
   */
  tell(told: Told): Promise<readonly GuardedResult[] | null> {
    const carried = this.#ending.then(() => (this.#isOver ? null : this.#carryOut(told)));
    this.#ending = carried.catch(() => undefined);
    return carried;
  }

  /** Gives its locks back. Its intents, where there are any, are for a recovery. Idempotent. */
  giveUp(): void {
    if (this.#isOver) return;
    this.#over();
    for (const { key } of this.keys) this.#options.conclude.recovery.recoverSoon(key);
  }

  async #carryOut(told: Told): Promise<readonly GuardedResult[]> {
    const { conclude } = this.#options;
    const decided = await decide(conclude, this.id, this.keys, told);
    const results = await endIntents(conclude, decided);
    this.#over();
    return results;
  }

  #over(): void {
    this.#isOver = true;
    this.#timer.cancel();
    for (const { lock } of this.keys) lock.release();
  }
}
