import type { Key } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';

/** Several times the pause between two attempts; the marker of a process that dies is gone this soon. */
const MARKER_TTL_MS = 200;

export interface WaitMarkerOptions {
  nodes: LockNodes;
  runtime: Runtime;
  /** Gives a lock back to the nodes; callers do not wait for it. */
  giveBack: (grant: Grant) => void;
}

/**
 * A marker on the lock nodes that says "another process waits for this key": a lock of its own next to the key's lock.
 *
 * Nodes keep no queue, so a process with a hot key could not know whether to pause after its process lock is used up.
 * Pausing each time would cost throughput where no other process waits, and most waiting processes would miss the
 * pause. With the marker, a process that is alone goes on at once, and one that waits gets the key next.
 *
 * Advice only: nothing breaks when a marker is lost, stays too long, or cannot be written.
 */
export class WaitMarker {
  readonly #options: WaitMarkerOptions;
  readonly #markerKey: string;
  #grant: Grant | null = null;
  #renewAtMs = 0;

  /** Sends nothing yet. */
  constructor(options: WaitMarkerOptions, { rows, rowText }: Key) {
    this.#options = options;
    this.#markerKey = `lockstep:next:${rows}:${rowText}`;
  }

  /** Whether another process waits for the key. */
  async isSetByAnother(): Promise<boolean> {
    const answer = await this.#options.nodes.tryAcquire(this.#markerKey, MARKER_TTL_MS);
    if (typeof answer === 'object') this.#options.giveBack(answer);
    return answer === 'contended';
  }

  /** Sets the marker, or extends it where it is about to expire. */
  async renew(): Promise<void> {
    const { nodes, runtime } = this.#options;
    const nowMs = runtime.clock.nowMs();
    if (this.#grant !== null) {
      if (nowMs < this.#renewAtMs) return;
      if ((await nodes.extend(this.#grant, MARKER_TTL_MS)) !== 'extended') this.#grant = null;
    } else {
      const answer = await nodes.tryAcquire(this.#markerKey, MARKER_TTL_MS);
      this.#grant = typeof answer === 'object' ? answer : null;
    }
    this.#renewAtMs = nowMs + MARKER_TTL_MS / 2;
  }

  /** Removes the marker; nobody waits for it. */
  remove(): void {
    if (this.#grant !== null) this.#options.giveBack(this.#grant);
    this.#grant = null;
  }
}
