/**
 * A turn as its caller sees it.
 *
 * States
 *   running   the lock is proved held, as far as anybody has noticed
 *   over      released by its caller, lost, or given up at the end of the process; nothing leads out of it
 */
import type { Intent } from '../cache/port.ts';
import { LockstepError, type Key } from '../domain/index.ts';
import type { Turn, TurnPurpose } from './port.ts';
import type { Tenure } from './tenure.ts';

/** Whoever gave the turn and wants it back. */
export interface TurnOwner {
  /** The caller is done with it. */
  finish(turn: RunningTurn, heirloom: Intent | null): void;
  /** Whether the lock would pass to one who inherits. */
  isFollowed(turn: RunningTurn): boolean;
  /** Its time ran out, and its caller noticed first. */
  expire(turn: RunningTurn): void;
}

export interface TurnFacts {
  key: Key;
  purpose: TurnPurpose;
  waitMs: number;
  queueMs: number;
  startedAtMs: number;
  inherited: Intent | null;
}

export class RunningTurn implements Turn {
  readonly key: Key;
  readonly purpose: TurnPurpose;
  readonly waitMs: number;
  readonly queueMs: number;
  readonly startedAtMs: number;
  readonly inherited: Intent | null;
  readonly tenure: Tenure;
  readonly #owner: TurnOwner;
  #fence: number | null = null;
  #over = false;

  constructor(facts: TurnFacts, tenure: Tenure, owner: TurnOwner) {
    this.key = facts.key;
    this.purpose = facts.purpose;
    this.waitMs = facts.waitMs;
    this.queueMs = facts.queueMs;
    this.startedAtMs = facts.startedAtMs;
    this.inherited = facts.inherited;
    this.tenure = tenure;
    this.#owner = owner;
  }

  get fence(): number | null {
    return this.#fence;
  }

  leftMs(): number {
    return this.#over ? 0 : this.tenure.leftMs();
  }

  assertHeld(): void {
    if (this.leftMs() > 0) return;
    if (!this.#over) this.#owner.expire(this);
    throw new LockstepError('FENCED', 'The lock on this key is not proved to be held any more.');
  }

  isFollowed(): boolean {
    return !this.#over && this.#owner.isFollowed(this);
  }

  release(heirloom?: Intent): void {
    if (!this.#over) this.#owner.finish(this, heirloom ?? null);
  }

  lastFor(durationMs: number): void {
    if (!this.#over) this.tenure.lastFor(durationMs);
  }

  noteFence(fence: number): void {
    this.#fence = fence;
  }

  /** Nothing may be done under it from here on. */
  end(): void {
    this.#over = true;
  }
}
