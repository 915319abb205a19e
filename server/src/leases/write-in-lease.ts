/**
 * One write's turn within a lease.
 *
 * States: running -> over, by its release. The lease may end before; then nothing more may be sent under it.
 */
import type { Key } from '../domain/index.ts';
import { endError, type LeaseEnd } from './ended-leases.ts';
import type { LeasedLock } from './port.ts';

/** The lease, as the writes within it need it. */
export interface WriteOwner {
  readonly heldFences: readonly number[];
  leftMs(): number;
  assertHeld(): void;
  end(end: LeaseEnd): void;
  finished(): void;
  noteFence(fence: number): void;
  stored(fence: number): void;
  mayHaveStored(fence: number): void;
  leftIntent(): void;
}

export class WriteInLease implements LeasedLock {
  readonly key: Key;
  readonly waitMs: number;
  readonly queueMs: number;
  /** Writes within a lease put their own intents. */
  readonly handedOverIntent = null;
  readonly #lease: WriteOwner;
  #over = false;

  constructor(key: Key, waitMs: number, lease: WriteOwner) {
    this.key = key;
    this.waitMs = waitMs;
    this.queueMs = waitMs;
    this.#lease = lease;
  }

  get heldFences(): readonly number[] {
    return this.#lease.heldFences;
  }

  nextFence(): number {
    return Math.max(...this.#lease.heldFences) + 1;
  }

  canHandOverIntent(): boolean {
    return false;
  }

  leftMs(): number {
    return this.#over ? 0 : this.#lease.leftMs();
  }

  assertHeld(): void {
    this.#lease.assertHeld();
  }

  release(): void {
    if (this.#over) return;
    this.#over = true;
    this.#lease.finished();
  }

  noteFence(fence: number): void {
    this.#lease.noteFence(fence);
  }

  stored(fence: number): void {
    this.#lease.stored(fence);
  }

  mayHaveStored(fence: number): void {
    this.#lease.mayHaveStored(fence);
  }

  leftIntent(): void {
    this.#lease.leftIntent();
  }

  superseded(): Error {
    this.#lease.end('lost');
    return endError('lost');
  }

  /** The lease alone says how long it lasts. */
  limitTo(): void {
    this.assertHeld();
  }
}
