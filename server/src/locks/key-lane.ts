/**
 * One key in this process: its callers' queue, and the one turn that may run.
 *
 * States
 *   idle        just made; waits for its first caller
 *   contending  this process tries to get the lock from the nodes, for the head of the queue
 *   held        a turn runs under the lock; everyone else queues
 *   yielding    the tenure is used up and the lock released: another process that waits may take it
 *   retired     nothing to do and nobody waits; the service has forgotten this lane
 *
 *   idle -> contending               the first caller comes
 *   contending -> held               the lock is granted and somebody still wants it
 *   contending -> retired            nobody wants it any more, or no majority of nodes answers
 *   held -> held                     the turn ends and the lock passes to the next caller
 *   held -> yielding                 the turn ends, others wait, and the tenure is used up
 *   held -> contending               the lock is lost and others wait
 *   held -> retired                  the turn ends or is lost, and nobody waits
 *   yielding -> contending           no other process waits, or the pause for it is over
 *   yielding -> retired              a defect of the nodes (so from contending)
 *
 * Invariants
 *   - At most one turn runs, and only in `held`; a tenure exists exactly in `held`.
 *   - Turns begin in the order in which their callers came.
 *   - Every caller is answered exactly once, and its timer is gone then.
 *   - Every grant is given back exactly once.
 *   - Once retired, a lane takes no callers: the key's next caller gets a new lane.
 */
import type { Intent } from '../cache/port.ts';
import type { Key } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { Contest, type ContestResult, type ContestSettings, LAST_RETRY_MS } from './contest.ts';
import type { Failure, LaneReport } from './lane-report.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import type { LockOptions } from './lock-options.ts';
import type { AcquireOptions, Turn } from './port.ts';
import { RunningTurn, type TurnOwner } from './running-turn.ts';
import { Tenure } from './tenure.ts';
import { type Waiter, Waiters } from './waiters.ts';

/**
 * Pause after a used-up tenure where another process waits. Longer than the pause between two tries and their round
 * trips, so that each one that waits tries at least once meanwhile.
 */
const YIELD_MS = LAST_RETRY_MS + 10;

/** What all lanes of a service share. */
export interface LaneSettings {
  nodes: LockNodes;
  runtime: Runtime;
  options: LockOptions;
  contest: ContestSettings;
  report: LaneReport;
  /** Gives a lock back to the nodes, off everybody's path. */
  giveBack: (grant: Grant) => void;
  onRetired: (lane: KeyLane) => void;
}

export class KeyLane implements TurnOwner {
  readonly key: Key;
  readonly #settings: LaneSettings;
  readonly #waiters = new Waiters();
  #state: 'idle' | 'contending' | 'held' | 'yielding' | 'retired' = 'idle';
  #contest: Contest | null = null;
  #turn: RunningTurn | null = null;

  constructor(settings: LaneSettings, key: Key) {
    this.#settings = settings;
    this.key = key;
  }

  /** The turn that runs. */
  get turn(): RunningTurn | null {
    return this.#turn;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  get longestWaitMs(): number {
    const head = this.#waiters.head;
    return head === null ? 0 : this.#nowMs() - head.arrivedAtMs;
  }

  /** Queues a caller. Must not be called once retired. */
  acquire(key: Key, { purpose, waitTimeoutMs, inherits = false }: AcquireOptions): Promise<Turn> {
    const { options, runtime } = this.#settings;
    const arrivedAtMs = this.#nowMs();
    if (this.#waiters.size >= options.maxWaitersPerKey) {
      return Promise.reject(this.#failure('QUEUE_FULL', arrivedAtMs));
    }
    const queuedBehind = this.#state !== 'idle';
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        ...{ key, purpose, inherits, arrivedAtMs, queuedBehind, resolve, reject },
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

  isFollowed({ tenure }: RunningTurn): boolean {
    return this.#waiters.head?.inherits === true && tenure.leftMs() > 0 && tenure.canServeAnother();
  }

  finish(turn: RunningTurn, heirloom: Intent | null): void {
    const { report } = this.#settings;
    const { tenure } = turn;
    if (tenure.leftMs() <= 0) return this.#lose(turn, 'expired');
    this.#endTurn(turn);
    report.released(this.key, turn.startedAtMs);
    const next = tenure.canServeAnother() ? this.#waiters.shift() : null;
    if (next !== null) return this.#begin(next, tenure, 0, heirloom);
    this.#endTenure(tenure);
    if (this.#waiters.size === 0) return this.#retire();
    this.#yield();
  }

  expire(turn: RunningTurn): void {
    this.#lose(turn, 'expired');
  }

  /** Turns everyone away who waits. */
  refuseWaiters(code: Failure, cause?: unknown): void {
    for (const waiter of this.#waiters.drain()) {
      waiter.reject(this.#failure(code, waiter.arrivedAtMs, cause));
    }
  }

  /** Takes the lock away from a turn that did not end in time. */
  abandonTurn(): void {
    const turn = this.#turn;
    if (turn === null) return;
    this.#endTurn(turn);
    this.#settings.report.released(this.key, turn.startedAtMs);
    this.#endTenure(turn.tenure);
    this.#contendOrRetire();
  }

  #yield(): void {
    const { contest, runtime } = this.#settings;
    this.#state = 'yielding';
    contest.succession.isClaimed(this.key).then(
      (isClaimed) => {
        if (isClaimed) runtime.timers.after(YIELD_MS, () => this.#contend());
        else this.#contend();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #contend(): void {
    const { contest } = this.#settings;
    this.#state = 'contending';
    this.#contest = new Contest(contest, this.key);
    this.#markHead();
    this.#contest
      .run(() => this.#waiters.size > 0)
      .then(
        (result) => this.#contested(result),
        (error: unknown) => this.#fail(error),
      );
  }

  /** A defect: nobody can be served. */
  #fail(error: unknown): void {
    this.#settings.runtime.log.error({ err: error, lockKey: this.key.lockKey }, 'locking failed');
    this.refuseWaiters('INTERNAL', error);
    this.#retire();
  }

  #contested(result: ContestResult): void {
    if (result === 'abandoned') return this.#contendOrRetire();
    if (result === 'unavailable') {
      this.refuseWaiters('LOCKS_UNAVAILABLE');
      return this.#retire();
    }
    const next = this.#waiters.shift();
    if (next === null) {
      this.#settings.giveBack(result.won);
      return this.#retire();
    }
    const { nodes, runtime, options } = this.#settings;
    const tenure: Tenure = new Tenure({
      ...{ nodes, runtime, options, grant: result.won, startedAtMs: result.startedAtMs },
      onLost: (how) => {
        if (this.#turn?.tenure === tenure) this.#lose(this.#turn, how);
      },
    });
    this.#begin(next, tenure, result.attempts);
  }

  /** @param attempts at the nodes; 0 where the lock was passed on */
  #begin(waiter: Waiter, tenure: Tenure, attempts: number, inherited: Intent | null = null): void {
    const startedAtMs = this.#nowMs();
    const waitMs = startedAtMs - waiter.arrivedAtMs;
    const queueMs = (waiter.headAtMs ?? startedAtMs) - waiter.arrivedAtMs;
    const facts = {
      key: waiter.key,
      purpose: waiter.purpose,
      waitMs,
      queueMs,
      startedAtMs,
      inherited,
    };
    this.#state = 'held';
    this.#contest = null;
    tenure.beginTurn();
    this.#turn = new RunningTurn(facts, tenure, this);
    const contended = waiter.queuedBehind || attempts > 1;
    this.#settings.report.acquired(this.key, waitMs, attempts, contended);
    waiter.resolve(this.#turn);
  }

  #lose(turn: RunningTurn, how: 'lost' | 'expired'): void {
    this.#endTurn(turn);
    this.#settings.report.lost(this.key, how, turn.startedAtMs);
    this.#endTenure(turn.tenure);
    this.#contendOrRetire();
  }

  #endTurn(turn: RunningTurn): void {
    turn.end();
    this.#turn = null;
  }

  /** A lost lock is given back too: what is left of it on a minority of nodes would be in the way. */
  #endTenure(tenure: Tenure): void {
    tenure.end();
    this.#settings.giveBack(tenure.grant);
  }

  #timeOut(waiter: Waiter): void {
    if (!this.#waiters.remove(waiter)) return;
    const code = this.#contest?.unanswered === true ? 'LOCKS_UNAVAILABLE' : 'LOCK_TIMEOUT';
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
    this.#contest = null;
    this.#settings.onRetired(this);
  }

  #failure(code: Failure, sinceMs: number, cause?: unknown): Error {
    const attempts = this.#contest?.attempts ?? 0;
    return this.#settings.report.failed(this.key, code, sinceMs, attempts, cause);
  }

  #nowMs(): number {
    return this.#settings.runtime.clock.nowMs();
  }
}
