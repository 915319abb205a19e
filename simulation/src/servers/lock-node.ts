/** A lock on a node. */
interface StoredLock {
  token: string;
  /** The process that set it. */
  owner: string;
  untilMs: number;
}

/** The removal of another process's unexpired lock. */
export interface WrongRemoval {
  lockKey: string;
  by: string;
  owner: string;
}

/** One lock node: the three scripts of Redlock, and expiry by its own clock. */
export class LockNode {
  onWrongRemoval: (removal: WrongRemoval) => void = () => {};
  readonly #nowMs: () => number;
  readonly #held = new Map<string, StoredLock>();

  /** @param nowMs the node's own clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  acquire(lockKey: string, token: string, owner: string, ttlMs: number): boolean {
    if (this.holder(lockKey) !== null) return false;
    this.#held.set(lockKey, { token, owner, untilMs: this.#nowMs() + ttlMs });
    return true;
  }

  extend(lockKey: string, token: string, ttlMs: number): boolean {
    const held = this.holder(lockKey);
    if (held?.token !== token) return false;
    held.untilMs = this.#nowMs() + ttlMs;
    return true;
  }

  release(lockKey: string, token: string): boolean {
    if (this.holder(lockKey)?.token !== token) return false;
    return this.#held.delete(lockKey);
  }

  /** A bare DEL. */
  delete(lockKey: string, by: string): void {
    const held = this.holder(lockKey);
    if (held !== null && held.owner !== by) {
      this.onWrongRemoval({ lockKey, by, owner: held.owner });
    }
    this.#held.delete(lockKey);
  }

  forget(): void {
    this.#held.clear();
  }

  holder(lockKey: string): StoredLock | null {
    const held = this.#held.get(lockKey);
    return held !== undefined && held.untilMs > this.#nowMs() ? held : null;
  }

  /** Locks that have not expired. */
  lockKeys(): string[] {
    return [...this.#held.keys()].filter((lockKey) => this.holder(lockKey) !== null);
  }
}
