import type { NodeStatus } from '@lockstep/shared';
import type { Runtime } from '../runtime/index.ts';

/** A node as its probes found it, before it is put in words. */
export interface NodeReading extends Omit<NodeStatus, 'detail'> {
  /** Why the last probe failed; absent where it did not. */
  fault?: string;
  /** Which part of it cannot be used; absent where all of it can. */
  partFault?: string;
}

/**
 * One node's state out of its probes' results, with hysteresis so that one lost packet does not flap a page.
 *
 *   up    -> down  after 2 failures in a row, `down -> up` after 2 answers in a row
 *   up    -> slow  after 3 slow answers in a row, `slow -> up` after 3 quick ones (under half the bound)
 *   first probe    decides at once
 *
 * `sinceMs` is when the present status began.
 */
const FAILURES_TO_DOWN = 2;
const ANSWERS_TO_UP = 2;
const ANSWERS_TO_CHANGE = 3;
/** From here on an answer is slow. For the coordinator itself: how late its timers run. */
const SLOW_MS = { database: 100, replica: 100, cache: 50, lock: 50, coordinator: 200 } as const;

export class NodeState {
  readonly #name: string;
  readonly #kind: NodeStatus['kind'];
  readonly #clock: Runtime['clock'];
  #status: NodeStatus['status'] = 'up';
  #sinceMs: number;
  #rttMs: number | null = null;
  #fault: string | null = null;
  #isFirst = true;
  #failures = 0;
  #answers = 0;
  #slow = 0;
  #quick = 0;

  constructor(node: Pick<NodeStatus, 'name' | 'kind'>, clock: Runtime['clock']) {
    this.#name = node.name;
    this.#kind = node.kind;
    this.#clock = clock;
    this.#sinceMs = clock.wallMs();
  }

  answered(rttMs: number): void {
    this.#rttMs = Math.round(rttMs * 100) / 100;
    this.#fault = null;
    this.#failures = 0;
    this.#answers++;
    const slowMs = SLOW_MS[this.#kind];
    this.#slow = rttMs >= slowMs ? this.#slow + 1 : 0;
    this.#quick = rttMs < slowMs / 2 ? this.#quick + 1 : 0;
    if (this.#status === 'down') {
      if (this.#answers >= ANSWERS_TO_UP) this.#become('up');
    } else if (this.#status === 'up') {
      if (this.#slow >= ANSWERS_TO_CHANGE) this.#become('slow');
    } else if (this.#quick >= ANSWERS_TO_CHANGE) {
      this.#become('up');
    }
    this.#isFirst = false;
  }

  /** @param fault why, in a few words */
  failed(fault: string): void {
    this.#rttMs = null;
    this.#fault = fault;
    this.#answers = 0;
    this.#failures++;
    if (this.#status !== 'down' && (this.#isFirst || this.#failures >= FAILURES_TO_DOWN)) {
      this.#become('down');
    }
    this.#isFirst = false;
  }

  reading(): NodeReading {
    return {
      name: this.#name,
      kind: this.#kind,
      status: this.#status,
      rttMs: this.#rttMs,
      sinceMs: this.#sinceMs,
      ...(this.#fault === null ? {} : { fault: this.#fault }),
    };
  }

  #become(status: NodeStatus['status']): void {
    this.#status = status;
    this.#sinceMs = this.#clock.wallMs();
    this.#slow = 0;
    this.#quick = 0;
  }
}
