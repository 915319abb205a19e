/**
 * A turn as its caller sees it.
 *
 * States
 *   running   the lock is proved held, as far as anybody has noticed
 *   over      released by its caller, lost, or given up at the end of the process; nothing leads out of it
 */
import type { Intent } from '../cache/port.ts';
import { LockstepError, type Key } from '../domain/index.ts';
import type { HeldLock, LockPurpose } from './port.ts';
import type { ProcessLock } from './process-lock.ts';

/** Whoever gave the turn and wants it back. */
export interface HoldOwner {
  /** The caller is done with it. */
  finish(hold: CallerHold, intentForNext: Intent | null): void;
  /** Whether the lock would pass to one who acceptsIntent. */
  canHandOverIntent(hold: CallerHold): boolean;
  /** Its time ran out, and its caller noticed first. */
  expire(hold: CallerHold): void;
}

export interface CallerHoldOptions {
  key: Key;
  purpose: LockPurpose;
  waitMs: number;
  queueMs: number;
  startedAtMs: number;
  handedOverIntent: Intent | null;
}

export class CallerHold implements HeldLock {
  readonly key: Key;
  readonly purpose: LockPurpose;
  readonly waitMs: number;
  readonly queueMs: number;
  readonly startedAtMs: number;
  readonly handedOverIntent: Intent | null;
  readonly processLock: ProcessLock;
  readonly #owner: HoldOwner;
  #fence: number | null = null;
  #over = false;

  constructor(facts: CallerHoldOptions, processLock: ProcessLock, owner: HoldOwner) {
    this.key = facts.key;
    this.purpose = facts.purpose;
    this.waitMs = facts.waitMs;
    this.queueMs = facts.queueMs;
    this.startedAtMs = facts.startedAtMs;
    this.handedOverIntent = facts.handedOverIntent;
    this.processLock = processLock;
    this.#owner = owner;
  }

  get fence(): number | null {
    return this.#fence;
  }

  leftMs(): number {
    return this.#over ? 0 : this.processLock.leftMs();
  }

  assertHeld(): void {
    if (this.leftMs() > 0) return;
    if (!this.#over) this.#owner.expire(this);
    throw new LockstepError('FENCED', 'The lock on this key is not proved to be held any more.');
  }

  canHandOverIntent(): boolean {
    return !this.#over && this.#owner.canHandOverIntent(this);
  }

  release(intentForNext?: Intent): void {
    if (!this.#over) this.#owner.finish(this, intentForNext ?? null);
  }

  limitTo(durationMs: number): void {
    if (!this.#over) this.processLock.limitTo(durationMs);
  }

  noteFence(fence: number): void {
    this.#fence = fence;
  }

  /** Nothing may be done under it from here on. */
  end(): void {
    this.#over = true;
  }
}
