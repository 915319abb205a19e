import type { Key } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';

/** Outlives the pause between two tries several times over; whoever dies is forgotten this soon. */
const CLAIM_TTL_MS = 200;

/**
 * A note on the lock nodes that says "another process waits for this key": a lock of its own beside the key's.
 *
 * Nodes keep no queue, so a process with a hot key could not know whether to pause after its processLock. A pause on the off
 * chance costs throughput when alone and is missed by most of those who try now and then. With the note, a process
 * that is alone goes on at once, and one that waits gets its turn after the present processLock.
 *
 * Advice only: nothing breaks when a note is lost, stays too long, or cannot be written.
 */
export class Succession {
  readonly #nodes: LockNodes;
  readonly #runtime: Runtime;
  readonly #giveBack: (grant: Grant) => void;

  constructor(nodes: LockNodes, runtime: Runtime, giveBack: (grant: Grant) => void) {
    this.#nodes = nodes;
    this.#runtime = runtime;
    this.#giveBack = giveBack;
  }

  /** A claim for one acquisition at this key; nothing is sent yet. */
  claim(key: Key): Claim {
    return new Claim(this.#nodes, this.#runtime, this.#giveBack, noteKeyOf(key));
  }

  /** Whether another process claims to be next. */
  async isClaimed(key: Key): Promise<boolean> {
    const answer = await this.#nodes.tryAcquire(noteKeyOf(key), CLAIM_TTL_MS);
    if (typeof answer === 'object') this.#giveBack(answer);
    return answer === 'contended';
  }
}

export class Claim {
  readonly #nodes: LockNodes;
  readonly #runtime: Runtime;
  readonly #giveBack: (grant: Grant) => void;
  readonly #noteKey: string;
  #note: Grant | null = null;
  #renewAtMs = 0;

  constructor(
    nodes: LockNodes,
    runtime: Runtime,
    giveBack: (grant: Grant) => void,
    noteKey: string,
  ) {
    this.#nodes = nodes;
    this.#runtime = runtime;
    this.#giveBack = giveBack;
    this.#noteKey = noteKey;
  }

  /** Puts the note where it is not there, or not for long any more. */
  async renew(): Promise<void> {
    const nowMs = this.#runtime.clock.nowMs();
    if (this.#note !== null) {
      if (nowMs < this.#renewAtMs) return;
      if ((await this.#nodes.extend(this.#note, CLAIM_TTL_MS)) !== 'extended') this.#note = null;
    } else {
      const answer = await this.#nodes.tryAcquire(this.#noteKey, CLAIM_TTL_MS);
      this.#note = typeof answer === 'object' ? answer : null;
    }
    this.#renewAtMs = nowMs + CLAIM_TTL_MS / 2;
  }

  /** Takes the note away, off the caller's path. */
  drop(): void {
    if (this.#note !== null) this.#giveBack(this.#note);
    this.#note = null;
  }
}

const noteKeyOf = ({ rows, rowText }: Key): string => `lockstep:next:${rows}:${rowText}`;
