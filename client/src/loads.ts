/**
 * Runs of loaders, shared by concurrent callers of this process.
 *
 * A caller must never get what was loaded before its own call, for a write may have been acknowledged in between. So a
 * load is shared in two ways:
 *   marked    it runs under the read lease of this name, its own or another process's. It is joined by a caller that,
 *             after its own call, still found that lease in the cache: no invalidation has come since the load began
 *   unmarked  the cache does not answer. A caller that finds such a load running joins the queued one, which starts when
 *             the running one has ended, and so after each of its callers called
 *
 * A load ends by the loader's answer or error, after `timeoutMs`, or when all its callers have given up. The loader's
 * signal fires in the last two cases.
 */
import { LockstepError } from './errors.ts';
import type { ClientRuntime } from './runtime.ts';

/** Runs the loader, and keeps what it answers. */
type Work = (signal: AbortSignal) => Promise<string>;

/** A caller of a load. */
export interface LoadCaller {
  /** Called when the caller waits no more, for whatever reason. */
  onEnd(left: () => void): void;
}

export class Load {
  /** The lease under which it runs; null: none is known. */
  readonly mark: string | null;
  /** What the loader answered, as JSON. */
  readonly answer: Promise<string>;
  readonly #controller = new AbortController();
  readonly #runtime: ClientRuntime;
  readonly #begin: () => void;
  #callers = 0;
  #isOver = false;

  constructor(mark: string | null, work: Work, timeoutMs: number, runtime: ClientRuntime) {
    this.mark = mark;
    this.#runtime = runtime;
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    this.#begin = begin;
    this.answer = begun.then(() => this.#run(work, timeoutMs));
    // Whoever joined hears of it.
    this.answer.catch(() => undefined);
  }

  start(): this {
    this.#begin();
    return this;
  }

  join(caller: LoadCaller): Promise<string> {
    this.#callers += 1;
    caller.onEnd(() => {
      this.#callers -= 1;
      if (this.#callers > 0 || this.#isOver) return;
      this.#controller.abort(new LockstepError('ABORTED', 'All callers gave the load up.'));
    });
    return this.answer;
  }

  async #run(work: Work, timeoutMs: number): Promise<string> {
    const { signal } = this.#controller;
    const late = (): void =>
      this.#controller.abort(new LockstepError('TIMEOUT', 'The loader did not answer in time.'));
    const timer = this.#runtime.after(timeoutMs, late);
    try {
      return await work(signal);
    } finally {
      timer.cancel();
      this.#isOver = true;
    }
  }
}

export class Loads {
  readonly #runtime: ClientRuntime;
  readonly #marked = new Map<string, Load>();
  readonly #unmarked = new Map<string, { running: Load; queued: Load | null }>();

  constructor(runtime: ClientRuntime) {
    this.#runtime = runtime;
  }

  /** The load of the key under this lease. */
  marked(name: string, mark: string): Load | null {
    const load = this.#marked.get(name);
    return load?.mark === mark ? load : null;
  }

  /** Whether any load of the key runs under a lease. */
  isLoading(name: string): boolean {
    return this.#marked.has(name);
  }

  /** Starts a load under a lease. One that runs under an earlier lease goes on for its own callers. */
  startMarked(name: string, mark: string, work: Work, timeoutMs: number): Load {
    const load = new Load(mark, work, timeoutMs, this.#runtime).start();
    this.#marked.set(name, load);
    const end = (): void => {
      if (this.#marked.get(name) === load) this.#marked.delete(name);
    };
    load.answer.then(end, end);
    return load;
  }

  /** Starts a load without a lease, or gives the one that will start next. */
  unmarked(name: string, work: Work, timeoutMs: number): Load {
    const found = this.#unmarked.get(name);
    const load = (): Load => new Load(null, work, timeoutMs, this.#runtime);
    if (found === undefined) return this.#startUnmarked(name, load());
    if (found.queued === null) {
      const queued = load();
      found.queued = queued;
      const start = (): void => void this.#startUnmarked(name, queued);
      found.running.answer.then(start, start);
    }
    return found.queued;
  }

  #startUnmarked(name: string, load: Load): Load {
    const state: { running: Load; queued: Load | null } = { running: load, queued: null };
    this.#unmarked.set(name, state);
    const end = (): void => {
      if (this.#unmarked.get(name) === state && state.queued === null) this.#unmarked.delete(name);
    };
    load.start().answer.then(end, end);
    return load;
  }
}
