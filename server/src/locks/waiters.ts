import type { Key } from '../domain/index.ts';
import type { Timer } from '../runtime/index.ts';
import type { HeldLock, LockPurpose } from './port.ts';

/** A caller that waits for its turn. */
export interface Waiter {
  /** As its caller names the row. */
  readonly key: Key;
  readonly purpose: LockPurpose;
  readonly acceptsIntent: boolean;
  readonly arrivedAtMs: number;
  /** Somebody was ahead of it when it came. */
  readonly queuedBehind: boolean;
  /** When it became first in the queue; null while others are before it. */
  headAtMs: number | null;
  timer: Timer | null;
  readonly resolve: (turn: HeldLock) => void;
  readonly reject: (error: Error) => void;
}

/** First in, first out; anyone may leave from anywhere in constant time. */
export class Waiters {
  /** A set keeps the order of insertion. */
  readonly #waiting = new Set<Waiter>();

  get size(): number {
    return this.#waiting.size;
  }

  get head(): Waiter | null {
    for (const waiter of this.#waiting) return waiter;
    return null;
  }

  push(waiter: Waiter): void {
    this.#waiting.add(waiter);
  }

  /** Takes the first one out and stops its timer. */
  shift(): Waiter | null {
    const waiter = this.head;
    if (waiter !== null) this.remove(waiter);
    return waiter;
  }

  /** Takes one out and stops its timer; false where it was not there. */
  remove(waiter: Waiter): boolean {
    waiter.timer?.cancel();
    return this.#waiting.delete(waiter);
  }

  /** Takes out everyone, in order. */
  drain(): Waiter[] {
    const drained = [...this.#waiting];
    for (const waiter of drained) this.remove(waiter);
    return drained;
  }
}
