import type { Runtime } from '../../server/src/runtime/index.ts';
import type { Grant, LockNodes } from '../../server/src/locks/lock-nodes.ts';

/**
 * Lock nodes in memory that behave as one, for tests and simulations. Several services that share one compete for locks
 * as several coordinators do.
 */
export class MemoryLockNodes implements LockNodes {
  /** False: no majority answers. */
  isAvailable = true;
  /** How long each call takes: half before and half after its effect. */
  roundTripMs = 0;
  readonly calls = { tryAcquire: 0, extend: 0, release: 0 };
  /** Tries by lock key. */
  readonly tries = new Map<string, number>();
  readonly #runtime: Runtime;
  readonly #held = new Map<string, { token: string; untilMs: number }>();
  #tokens = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  tryAcquire(lockKey: string, ttlMs: number): Promise<Grant | 'contended' | 'unavailable'> {
    this.calls.tryAcquire++;
    this.tries.set(lockKey, (this.tries.get(lockKey) ?? 0) + 1);
    return this.#call(() => {
      if (this.holderOf(lockKey) !== null) return 'contended';
      const token = `token-${++this.#tokens}`;
      this.#held.set(lockKey, { token, untilMs: this.#runtime.clock.nowMs() + ttlMs });
      return { lockKey, token };
    });
  }

  extend({ lockKey, token }: Grant, ttlMs: number): Promise<'extended' | 'lost' | 'unavailable'> {
    this.calls.extend++;
    return this.#call(() => {
      if (this.holderOf(lockKey) !== token) return 'lost';
      this.#held.set(lockKey, { token, untilMs: this.#runtime.clock.nowMs() + ttlMs });
      return 'extended';
    });
  }

  release({ lockKey, token }: Grant): Promise<'released' | 'gone' | 'unavailable'> {
    this.calls.release++;
    return this.#call(() => {
      if (this.holderOf(lockKey) !== token) return 'gone';
      this.#held.delete(lockKey);
      return 'released';
    });
  }

  groupOf(): number {
    return 0;
  }

  /** The token of the lock's holder. */
  holderOf(lockKey: string): string | null {
    const held = this.#held.get(lockKey);
    return held !== undefined && held.untilMs > this.#runtime.clock.nowMs() ? held.token : null;
  }

  /** Takes a lock away from its holder, as when its key is deleted or a node loses its data. */
  drop(lockKey: string): void {
    this.#held.delete(lockKey);
  }

  /** Makes another process hold the lock. */
  occupy(lockKey: string, ttlMs: number): void {
    this.#held.set(lockKey, { token: 'stranger', untilMs: this.#runtime.clock.nowMs() + ttlMs });
  }

  async #call<T>(effect: () => T): Promise<T | 'unavailable'> {
    if (this.roundTripMs > 0) await this.#runtime.timers.sleep(this.roundTripMs / 2);
    if (!this.isAvailable) return 'unavailable';
    const answer = effect();
    if (this.roundTripMs > 0) await this.#runtime.timers.sleep(this.roundTripMs / 2);
    return answer;
  }
}
