/**
 * The pace of answers that are open to everyone and cost something: metrics, documents, the dashboard's files.
 *
 * Each address gets a number of answers a second, and a few at once. Beyond that each answer waits until it is due, so
 * that a flood goes at this pace and not at its sender's. If the wait would be too long, the request is refused after the
 * longest wait.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { LockstepError } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { EndpointFrame } from './endpoint-frame.ts';

const PER_SECOND = 50;
/** Answers without waiting to an address that was quiet. */
const AT_ONCE = 100;
const LONGEST_WAIT_MS = 2_000;
const EVERY_MS = 1_000 / PER_SECOND;
/** Addresses that are remembered. Beyond that, all others share the pace of one address. */
const MAX_ADDRESSES = 10_000;

export class OpenPace {
  readonly #clock: Runtime['clock'];
  /** When the next answer of an address is due, as if each took EVERY_MS. */
  readonly #dueMs = new Map<string, number>();

  constructor(clock: Runtime['clock']) {
    this.#clock = clock;
  }

  /** How long the next answer of an address waits, in ms; null: it is refused. */
  next(address: string): number | null {
    const nowMs = this.#clock.nowMs();
    if (this.#dueMs.size >= MAX_ADDRESSES) this.#forget(nowMs);
    const known = this.#dueMs.size >= MAX_ADDRESSES ? '' : address;
    const dueMs = Math.max(this.#dueMs.get(known) ?? 0, nowMs);
    const waitMs = Math.max(0, dueMs - nowMs - AT_ONCE * EVERY_MS);
    if (waitMs > LONGEST_WAIT_MS) return null;
    this.#dueMs.set(known, dueMs + EVERY_MS);
    return waitMs;
  }

  #forget(nowMs: number): void {
    for (const [address, dueMs] of this.#dueMs) if (dueMs <= nowMs) this.#dueMs.delete(address);
  }
}

/** Middleware that holds requests to the pace. */
export function atOpenPace(
  { clock, timers }: Pick<Runtime, 'clock' | 'timers'>,
  frame: EndpointFrame,
): RequestHandler {
  const pace = new OpenPace(clock);
  return (request, response, next) => {
    const waitMs = pace.next(addressOf(request));
    if (waitMs === 0) return next();
    timers.after(waitMs ?? LONGEST_WAIT_MS, () => {
      if (response.destroyed) return;
      if (waitMs !== null) return next();
      frame.fail(request, response, new LockstepError('RATE_LIMITED', 'Too many requests.'));
    });
  };
}

const addressOf = ({ socket }: IncomingMessage): string => socket.remoteAddress ?? '';
