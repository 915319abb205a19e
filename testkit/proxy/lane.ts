/**
 * One direction of one connection: a queue of what the sender has sent, let through as the conditions of the link say.
 *
 * States: open -> ended (the sender's FIN has passed, or its RST), or destroyed from outside.
 *
 * Invariants
 *   - bytes pass in order and none is lost or made up: only the end of the connection can cut them off
 *   - a FIN or RST queues behind the bytes, so a stalled lane delivers what was sent before the sender went away
 *   - at most QUEUE_BYTES are held; then the sender is no longer read, and TCP slows it down
 */
import type { Socket } from 'node:net';
import type { Conditions } from './conditions.ts';

const QUEUE_BYTES = 8 * 1024 * 1024;

type Item = { dueAtMs: number } & ({ bytes: Buffer } | { end: 'fin' | 'rst' });

export interface LaneOptions {
  from: Socket;
  to: Socket;
  /** Read anew for every piece. */
  conditions: () => Readonly<Conditions>;
  /** In [0, 1): the jitter's source. */
  random: () => number;
}

export class Lane {
  readonly #options: LaneOptions;
  readonly #queue: Item[] = [];
  #queuedBytes = 0;
  #lastDueAtMs = 0;
  /** No piece before this moment: the last one's pause, or its time on a slow line. */
  #freeAtMs = 0;
  #timer: NodeJS.Timeout | null = null;
  #isOver = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    const { from } = options;
    let hasEnded = false;
    from.on('data', (bytes: Buffer) => this.#accept(bytes));
    from.on('end', () => {
      hasEnded = true;
      this.#push({ end: 'fin', dueAtMs: this.#dueAtMs() });
    });
    from.on('close', () => {
      if (!hasEnded) this.#push({ end: 'rst', dueAtMs: this.#dueAtMs() });
    });
  }

  /** Lets through what may pass now; to be called when the conditions have changed. */
  work(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (;;) {
      const item = this.#queue[0];
      if (item === undefined || this.#isOver || this.#options.conditions().stalled) return;
      const nowMs = performance.now();
      const waitMs = Math.max(item.dueAtMs, this.#freeAtMs) - nowMs;
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.work(), waitMs);
        return;
      }
      this.#pass(item, nowMs);
    }
  }

  /** Nothing passes any more, not even what is held. */
  destroy(): void {
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #accept(bytes: Buffer): void {
    this.#push({ bytes, dueAtMs: this.#dueAtMs() });
    if (this.#queuedBytes > QUEUE_BYTES) this.#options.from.pause();
  }

  #push(item: Item): void {
    if (this.#isOver) return;
    if ('bytes' in item) this.#queuedBytes += item.bytes.length;
    this.#queue.push(item);
    if (this.#queue.length === 1) this.work();
  }

  #dueAtMs(): number {
    const { latencyMs, jitterMs } = this.#options.conditions();
    const delayMs = latencyMs + (jitterMs === 0 ? 0 : jitterMs * this.#options.random());
    this.#lastDueAtMs = Math.max(this.#lastDueAtMs, performance.now() + delayMs);
    return this.#lastDueAtMs;
  }

  #pass(item: Item, nowMs: number): void {
    const { to } = this.#options;
    if ('end' in item) {
      this.destroy();
      if (item.end === 'fin') to.end();
      else to.resetAndDestroy();
      return;
    }
    const { slice, bytesPerSecond } = this.#options.conditions();
    const piece = slice === null ? item.bytes : item.bytes.subarray(0, slice.bytes);
    if (piece.length === item.bytes.length) this.#queue.shift();
    else item.bytes = item.bytes.subarray(piece.length);
    this.#queuedBytes -= piece.length;
    const lineMs = bytesPerSecond === null ? 0 : (piece.length / bytesPerSecond) * 1000;
    this.#freeAtMs = nowMs + lineMs + (slice?.pauseMs ?? 0);
    to.write(piece);
    if (this.#options.from.isPaused() && this.#queuedBytes <= QUEUE_BYTES / 2)
      this.#options.from.resume();
  }
}
