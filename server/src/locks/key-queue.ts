/**
 * One key in this process: its callers' queue, and the one turn that may run.
 *
 * States
 *   idle        just made; waits for its first caller
 *   contending  this process tries to get the lock from the nodes, for the head of the queue
 *   held        a turn runs under the lock; everyone else queues
 *   yielding    the processLock is used up and the lock released: another process that waits may take it
 *   retired     nothing to do and nobody waits; the service has forgotten this queue
 *
 *   idle -> contending               the first caller comes
 *   contending -> held               the lock is granted and somebody still wants it
 *   contending -> retired            nobody wants it any more, or no majority of nodes answers
 *   held -> held                     the turn ends and the lock passes to the next caller
 *   held -> yielding                 the turn ends, others wait, and the processLock is used up
 *   held -> contending               the lock is lost and others wait
 *   held -> retired                  the turn ends or is lost, and nobody waits
 *   yielding -> contending           no other process waits, or the pause for it is over
 *   yielding -> retired              a defect of the nodes (so from contending)
 *
 * Invariants
 *   - At most one turn runs, and only in `held`; a processLock exists exactly in `held`.
 *   - Turns begin in the order in which their callers came.
 *   - Every caller is answered exactly once, and its timer is gone then.
 *   - Every grant is given back exactly once.
 *   - Once retired, a queue takes no callers: the key's next caller gets a new queue.
 */
import type { Intent } from '../cache/port.ts';
import type { Key } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import {
  Acquisition,
  type AcquisitionResult,
  type AcquisitionOptions,
  LAST_RETRY_MS,
} from './acquisition.ts';
import type { Failure, LockTelemetry } from './lock-telemetry.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import type { LockOptions } from './lock-options.ts';
import type { AcquireOptions, HeldLock } from './port.ts';
import { CallerHold, type HoldOwner } from './caller-hold.ts';
import { ProcessLock } from './process-lock.ts';
import { type Waiter, Waiters } from './waiters.ts';

/**
 * Pause after a used-up processLock where another process waits. Longer than the pause between two tries and their round
 * trips, so that each one that waits tries at least once meanwhile.
 */
const YIELD_MS = LAST_RETRY_MS + 10;

/** What all queues of a service share. */
export interface KeyQueueOptions {
  nodes: LockNodes;
  runtime: Runtime;
  options: LockOptions;
  acquisition: AcquisitionOptions;
  report: LockTelemetry;
  /** Gives a lock back to the nodes, off everybody's path. */
  giveBack: (grant: Grant) => void;
  onRetired: (queue: KeyQueue) => void;
}

export class KeyQueue implements HoldOwner {
  readonly key: Key;
  readonly #options: KeyQueueOptions;
  readonly #waiters = new Waiters();
  #state: 'idle' | 'contending' | 'held' | 'yielding' | 'retired' = 'idle';
  #acquisition: Acquisition | null = null;
  #hold: CallerHold | null = null;

  constructor(settings: KeyQueueOptions, key: Key) {
    this.#options = settings;
    this.key = key;
  }

  /** The turn that runs. */
  get hold(): CallerHold | null {
    return this.#hold;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  get longestWaitMs(): number {
    const head = this.#waiters.head;
    return head === null ? 0 : this.#nowMs() - head.arrivedAtMs;
  }

  /** Queues a caller. Must not be called once retired. */
  acquire(
    key: Key,
    { purpose, waitTimeoutMs, acceptsIntent = false }: AcquireOptions,
  ): Promise<HeldLock> {
    const { options, runtime } = this.#options;
    const arrivedAtMs = this.#nowMs();
    if (this.#waiters.size >= options.maxWaitersPerKey) {
      return Promise.reject(this.#failure('QUEUE_FULL', arrivedAtMs));
    }
    const queuedBehind = this.#state !== 'idle';
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        ...{ key, purpose, acceptsIntent, arrivedAtMs, queuedBehind, resolve, reject },
        headAtMs: null,
        timer: null,
      };
      const timeoutMs = waitTimeoutMs ?? options.waitTimeoutMs;
      waiter.timer = runtime.timers.after(timeoutMs, () => this.#timeOut(waiter));
      this.#waiters.push(waiter);
      if (this.#state === 'idle') this.#contend();
      else this.#markHead();
    });
  }

  canHandOverIntent({ processLock }: CallerHold): boolean {
    return (
      this.#waiters.head?.acceptsIntent === true &&
      processLock.leftMs() > 0 &&
      processLock.canServeAnother()
    );
  }

  finish(hold: CallerHold, intentForNext: Intent | null): void {
    const { report } = this.#options;
    const { processLock } = hold;
    if (processLock.leftMs() <= 0) return this.#lose(hold, 'expired');
    this.#endHold(hold);
    report.released(this.key, hold.startedAtMs);
    const next = processLock.canServeAnother() ? this.#waiters.shift() : null;
    if (next !== null) return this.#begin(next, processLock, 0, intentForNext);
    this.#endProcessLock(processLock);
    if (this.#waiters.size === 0) return this.#retire();
    this.#yield();
  }

  expire(hold: CallerHold): void {
    this.#lose(hold, 'expired');
  }

  /** Turns everyone away who waits. */
  refuseWaiters(code: Failure, cause?: unknown): void {
    for (const waiter of this.#waiters.drain()) {
      waiter.reject(this.#failure(code, waiter.arrivedAtMs, cause));
    }
  }

  /** Takes the lock away from a turn that did not end in time. */
  abandonHold(): void {
    const hold = this.#hold;
    if (hold === null) return;
    this.#endHold(hold);
    this.#options.report.released(this.key, hold.startedAtMs);
    this.#endProcessLock(hold.processLock);
    this.#contendOrRetire();
  }

  #yield(): void {
    const { acquisition, runtime } = this.#options;
    this.#state = 'yielding';
    acquisition.succession.isClaimed(this.key).then(
      (isClaimed) => {
        if (isClaimed) runtime.timers.after(YIELD_MS, () => this.#contend());
        else this.#contend();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #contend(): void {
    const { acquisition } = this.#options;
    this.#state = 'contending';
    this.#acquisition = new Acquisition(acquisition, this.key);
    this.#markHead();
    this.#acquisition
      .run(() => this.#waiters.size > 0)
      .then(
        (result) => this.#contested(result),
        (error: unknown) => this.#fail(error),
      );
  }

  /** A defect: nobody can be served. */
  #fail(error: unknown): void {
    this.#options.runtime.log.error({ err: error, lockKey: this.key.lockKey }, 'locking failed');
    this.refuseWaiters('INTERNAL', error);
    this.#retire();
  }

  #contested(result: AcquisitionResult): void {
    if (result === 'abandoned') return this.#contendOrRetire();
    if (result === 'unavailable') {
      this.refuseWaiters('LOCKS_UNAVAILABLE');
      return this.#retire();
    }
    const next = this.#waiters.shift();
    if (next === null) {
      this.#options.giveBack(result.won);
      return this.#retire();
    }
    const { nodes, runtime, options } = this.#options;
    const processLock: ProcessLock = new ProcessLock({
      ...{ nodes, runtime, options, grant: result.won, startedAtMs: result.startedAtMs },
      onLost: (how) => {
        if (this.#hold?.processLock === processLock) this.#lose(this.#hold, how);
      },
    });
    this.#begin(next, processLock, result.attempts);
  }

  /** @param attempts at the nodes; 0 where the lock was passed on */
  #begin(
    waiter: Waiter,
    processLock: ProcessLock,
    attempts: number,
    handedOverIntent: Intent | null = null,
  ): void {
    const startedAtMs = this.#nowMs();
    const waitMs = startedAtMs - waiter.arrivedAtMs;
    const queueMs = (waiter.headAtMs ?? startedAtMs) - waiter.arrivedAtMs;
    const facts = {
      key: waiter.key,
      purpose: waiter.purpose,
      waitMs,
      queueMs,
      startedAtMs,
      handedOverIntent,
    };
    this.#state = 'held';
    this.#acquisition = null;
    processLock.beginHold();
    this.#hold = new CallerHold(facts, processLock, this);
    const contended = waiter.queuedBehind || attempts > 1;
    this.#options.report.acquired(this.key, waitMs, attempts, contended);
    waiter.resolve(this.#hold);
  }

  #lose(hold: CallerHold, how: 'lost' | 'expired'): void {
    this.#endHold(hold);
    this.#options.report.lost(this.key, how, hold.startedAtMs);
    this.#endProcessLock(hold.processLock);
    this.#contendOrRetire();
  }

  #endHold(hold: CallerHold): void {
    hold.end();
    this.#hold = null;
  }

  /** A lost lock is given back too: what is left of it on a minority of nodes would be in the way. */
  #endProcessLock(processLock: ProcessLock): void {
    processLock.end();
    this.#options.giveBack(processLock.grant);
  }

  #timeOut(waiter: Waiter): void {
    if (!this.#waiters.remove(waiter)) return;
    const code = this.#acquisition?.unanswered === true ? 'LOCKS_UNAVAILABLE' : 'LOCK_TIMEOUT';
    waiter.reject(this.#failure(code, waiter.arrivedAtMs));
    this.#markHead();
  }

  /** Waiting for the nodes, not for the queue, begins for whoever is first while this process contends. */
  #markHead(): void {
    const head = this.#state === 'contending' ? this.#waiters.head : null;
    if (head !== null) head.headAtMs ??= this.#nowMs();
  }

  #contendOrRetire(): void {
    if (this.#waiters.size > 0) this.#contend();
    else this.#retire();
  }

  #retire(): void {
    this.#state = 'retired';
    this.#acquisition = null;
    this.#options.onRetired(this);
  }

  #failure(code: Failure, sinceMs: number, cause?: unknown): Error {
    const attempts = this.#acquisition?.attempts ?? 0;
    return this.#options.report.failed(this.key, code, sinceMs, attempts, cause);
  }

  #nowMs(): number {
    return this.#options.runtime.clock.nowMs();
  }
}
