/**
 * The explorations of the page, one at a time in one worker.
 *
 * States of a strategy: (not asked for) -> waiting -> exploring -> done | failed. `stop` resets those that wait or are
 * being explored. Invariant: at most one is being explored, and one is while any waits.
 */
import type { Progress, Report } from '@lockstep/lab';
import { SvelteMap } from 'svelte/reactivity';

/** Asks the worker to explore a strategy or variant. */
export interface ToWorker {
  strategy: string;
}

export type FromWorker = { strategy: string } & (
  | { kind: 'progress'; progress: Progress }
  | { kind: 'report'; report: Report; tookMs: number }
  | { kind: 'fault'; message: string }
);

export type Exploration =
  | { phase: 'waiting' }
  | { phase: 'exploring'; progress: Progress }
  | { phase: 'done'; report: Report; tookMs: number }
  | { phase: 'failed'; message: string };

/** The part of a worker that is used here. */
export interface WorkerLike {
  postMessage(message: ToWorker): void;
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

export class Explorer {
  /** By the strategy's name. Reactive. */
  readonly all = new SvelteMap<string, Exploration>();
  readonly #open: () => WorkerLike;
  #worker: WorkerLike | null = null;
  #current: string | null = null;
  #waiting: string[] = [];

  /** @param open starts a worker */
  constructor(open: () => WorkerLike) {
    this.#open = open;
  }

  /** Explores those that were not explored yet, in this order. */
  explore(strategies: readonly string[]): void {
    for (const strategy of strategies) {
      const phase = this.all.get(strategy)?.phase;
      if (phase !== undefined && phase !== 'failed') continue;
      this.all.set(strategy, { phase: 'waiting' });
      this.#waiting.push(strategy);
    }
    this.#next();
  }

  /** Stops at once. Results that were found stay. */
  stop(): void {
    this.#worker?.terminate();
    this.#worker = null;
    for (const strategy of [...this.#waiting, this.#current]) {
      if (strategy !== null) this.all.delete(strategy);
    }
    this.#waiting = [];
    this.#current = null;
  }

  #next(): void {
    if (this.#current !== null) return;
    const strategy = this.#waiting.shift();
    if (strategy === undefined) return;
    this.#current = strategy;
    this.all.set(strategy, { phase: 'exploring', progress: { explored: 0, states: 0 } });
    this.#worker ??= this.#started();
    this.#worker.postMessage({ strategy });
  }

  #started(): WorkerLike {
    const worker = this.#open();
    worker.onmessage = ({ data }) => this.#hear(data);
    worker.onerror = ({ message }) => this.#fail(message || 'The explorer could not be started.');
    return worker;
  }

  #hear(message: FromWorker): void {
    const { strategy } = message;
    switch (message.kind) {
      case 'progress':
        this.all.set(strategy, { phase: 'exploring', progress: message.progress });
        return;
      case 'report':
        this.all.set(strategy, { phase: 'done', report: message.report, tookMs: message.tookMs });
        break;
      case 'fault':
        this.all.set(strategy, { phase: 'failed', message: message.message });
    }
    this.#current = null;
    this.#next();
  }

  /** The worker itself failed: a new one takes over the rest. */
  #fail(message: string): void {
    const strategy = this.#current;
    this.#worker?.terminate();
    this.#worker = null;
    this.#current = null;
    if (strategy !== null) this.all.set(strategy, { phase: 'failed', message });
    this.#next();
  }
}

/** The page's explorer. Its results stay while other pages are open. */
export const explorer = new Explorer(
  () => new Worker(new URL('./explorer.worker.ts', import.meta.url), { type: 'module' }),
);
