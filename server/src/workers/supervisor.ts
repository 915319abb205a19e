/**
 * Keeps the worker processes of one coordinator running.
 *
 * States of a worker: starting -> serving [-> leaving] -> ended -> (after a wait) starting …
 *   starting  it runs and gets no connection yet; the others learn its address first
 *   serving   it gets connections of the common port
 *   leaving   it got a signal of its own: it gets no further connection, and ends when it has drained
 *   ended     by itself or by a signal; another process takes its slot after a wait that doubles with each failure in a row
 *
 * Invariants
 *   - J8: the start fails, with the cause, where any worker cannot start
 *   - J7: a worker that ends is replaced for as long as the coordinator is not stopped; one that does not answer for
 *     SILENT_MS is ended first
 *   - a worker serves only once it has the configuration that the others have
 */
import { AggregatedMetrics } from '../metrics/index.ts';
import type { Config } from '../config/index.ts';
import type { HealthCheck, Readiness } from '../health/index.ts';
import { Backoff } from '../jobs/index.ts';
import { atMost, type Runtime, type Timer } from '../runtime/index.ts';
import { type Answers, type Channel, NoAnswer } from './channel.ts';
import type { ConnectionTaker, SharedPort } from './shared-port.ts';
import type { AskedOfParent, AskedOfWorker, KeyPart, WorkerOrder } from './contract.ts';

/** A start waits for servers, migrates and switches policies. */
const START_MS = 120_000;
const SHORT_ANSWER_MS = 5_000;
/** How long a scrape waits for one worker; after that its last answer stands. */
const METRICS_MS = 1_000;
/** A worker that does not answer in this time is left out of the readiness. */
const READY_MS = 500;
const KEY_MS = 1_000;
/** A reload waits 5 s for its switches. */
const FOLLOW_MS = 15_000;
const LOOK_EVERY_MS = 5_000;
const SILENT_MS = 30_000;
/** A worker that served for this long has no part in a series of failures. */
const SOUND_MS = 30_000;
const BACKOFF = { minMs: 200, maxMs: 10_000, jitter: 'equal' } as const;
/** Every worker must have ended within this time. */
const STOP_MS = 14_300;

/** A worker's process. */
export interface WorkerProcess extends ConnectionTaker {
  readonly pid: number;
  readonly channel: Channel<AskedOfWorker, AskedOfParent>;
  /** Resolves with how it ended, in words. */
  readonly ended: Promise<string>;
  /** SIGKILL. */
  kill(): void;
}

export interface SupervisorOptions {
  count: number;
  config: Config;
  fork(answers: Answers<AskedOfParent>): WorkerProcess;
  order(slot: number, config: Config): WorkerOrder;
  port: Pick<SharedPort, 'add' | 'remove'>;
  /** Closes the common port, once all workers are stopping. */
  closePort(): Promise<void>;
  /** A worker serves, or has ended. */
  onChanged(): void;
  runtime: Runtime;
}

interface Slot {
  readonly index: number;
  state: 'starting' | 'serving' | 'leaving' | 'ended';
  process: WorkerProcess;
  /** Resolves once the process can be asked. */
  isUp: Promise<void>;
  address: string | null;
  servingSinceMs: number;
  answeredAtMs: number;
  readonly backoff: Backoff;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #slots: Slot[] = [];
  readonly #metrics = new AggregatedMetrics();
  #config: Config;
  #restarts = 0;
  #look: Timer | null = null;
  #isStopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** The workers that serve, by slot. */
  processes(): { slot: number; pid: number; address: string }[] {
    return this.#serving().map(({ index, process, address }) => ({
      ...{ slot: index, pid: process.pid, address: address ?? '' },
    }));
  }

  /**
   * The first worker starts alone, because it migrates and switches.
   * @throws ConfigError, or an error that says which worker could not start and why
   */
  async start(): Promise<void> {
    await this.#add(0);
    const others = Array.from({ length: this.#options.count - 1 }, (_, index) => index + 1);
    await Promise.all(others.map((index) => this.#add(index)));
    for (const slot of this.#slots) void this.#keep(slot);
    this.#scheduleLook();
  }

  /** Reads the configuration again, everywhere. @throws ConfigError with all its faults; nothing has changed then */
  async reload(): Promise<void> {
    const [first] = this.#serving();
    if (first === undefined) throw new Error('No worker serves now.');
    await first.process.channel.ask('reload', null, null);
  }

  /** Drains all workers. Those that have not ended in time are ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#look?.cancel();
    for (const { state, process } of this.#slots) {
      if (state === 'starting') process.kill();
      else process.channel.ask('stop', null, null).catch(() => undefined); // it ends without an answer
    }
    const all = Promise.all(this.#slots.map(({ process }) => process.ended));
    const { timers, log } = this.#options.runtime;
    await atMost(timers, STOP_MS, all);
    for (const { index, process, state } of this.#slots) {
      if (state === 'ended') continue;
      log.warn({ worker: index }, 'a worker did not end in time');
      process.kill();
    }
    await all;
  }

  async #add(index: number): Promise<void> {
    const { runtime } = this.#options;
    const slot: Slot = {
      ...{ index, state: 'starting', ...this.#fork(index), address: null },
      ...{ servingSinceMs: 0, answeredAtMs: runtime.clock.nowMs() },
      backoff: new Backoff(BACKOFF, runtime.random),
    };
    this.#slots.push(slot);
    this.#watchEnd(slot);
    await this.#bringUp(slot);
  }

  #fork(index: number): Pick<Slot, 'process' | 'isUp'> {
    const of = (): Slot | undefined => this.#slots.find((slot) => slot.index === index);
    let isUpNow = (): void => undefined;
    const isUp = new Promise<void>((resolve) => {
      isUpNow = resolve;
    });
    const process: WorkerProcess = this.#options.fork({
      hello: () => {
        isUpNow();
        return Promise.resolve(null);
      },
      metrics: () => this.#metricsText(),
      ready: () => this.#ready(),
      key: async (key) => {
        const asked = this.#serving().filter((each) => each !== of());
        const parts = asked.map(({ process }) => process.channel.ask('key', key, KEY_MS));
        return answered<KeyPart>(await Promise.allSettled(parts));
      },
      reloaded: (config) => this.#follow(config, of()),
      closePort: async () => {
        if (this.#isStopping) await this.#options.closePort();
        return null;
      },
      leaving: (families) => {
        this.#metrics.note(index, families);
        const slot = of();
        if (slot?.process === process) {
          slot.state = 'leaving';
          this.#options.port.remove(process);
        }
        return Promise.resolve(null);
      },
    });
    return { process, isUp };
  }

  #watchEnd(slot: Slot): void {
    const { process } = slot;
    void process.ended.then(() => {
      process.channel.close();
      this.#options.port.remove(process);
      slot.state = 'ended';
      this.#metrics.keepEnded(slot.index);
      if (!this.#isStopping) this.#options.onChanged();
    });
  }

  /** @throws ConfigError, or an error that names the worker */
  async #bringUp(slot: Slot): Promise<void> {
    const { process, index } = slot;
    const { channel } = process;
    try {
      const config = this.#config;
      const order = this.#options.order(index, config);
      await Promise.race([slot.isUp, process.ended]);
      slot.address = (await channel.ask('start', order, START_MS)).address;
      if (this.#config !== config) await channel.ask('follow', this.#config, FOLLOW_MS);
      await this.#introduce();
    } catch (error) {
      process.kill();
      if (!(error instanceof NoAnswer)) throw error;
      throw new Error(`Worker ${index + 1} did not start: ${await process.ended}.`, {
        cause: error,
      });
    }
    slot.state = 'serving';
    this.#options.port.add(process);
    slot.servingSinceMs = slot.answeredAtMs = this.#options.runtime.clock.nowMs();
    this.#options.onChanged();
  }

  /** Tells every worker the addresses of all. Never rejects: a worker that ends meanwhile needs to know none. */
  async #introduce(): Promise<void> {
    const known = this.#slots.filter(({ state, address }) => state !== 'ended' && address !== null);
    const addresses = known.map(({ address }) => address ?? '');
    await Promise.allSettled(
      known.map(({ process }) => process.channel.ask('siblings', addresses, SHORT_ANSWER_MS)),
    );
  }

  /** Replaces the worker of a slot whenever it has ended. Never rejects. */
  async #keep(slot: Slot): Promise<void> {
    const { timers, log, clock } = this.#options.runtime;
    for (;;) {
      const how = await slot.process.ended;
      if (this.#isStopping) return;
      if (slot.servingSinceMs > 0 && clock.nowMs() - slot.servingSinceMs > SOUND_MS)
        slot.backoff.reset();
      const waitMs = slot.backoff.nextMs();
      log.warn({ worker: slot.index + 1, pid: slot.process.pid, how, waitMs }, 'a worker ended');
      await timers.sleep(waitMs);
      if (this.#isStopping) return;
      this.#restarts += 1;
      const fresh = { ...this.#fork(slot.index), address: null, servingSinceMs: 0 };
      Object.assign(slot, fresh, { state: 'starting' });
      this.#watchEnd(slot);
      await this.#bringUp(slot).catch((error: unknown) =>
        log.error({ err: error, worker: slot.index + 1 }, 'a worker could not be started again'),
      );
    }
  }

  #serving(): Slot[] {
    const serving = this.#slots.filter(({ state }) => state === 'serving');
    return serving.sort((a, b) => a.index - b.index);
  }

  async #follow(config: Config, except: Slot | undefined): Promise<boolean> {
    this.#config = config;
    const others = this.#serving().filter((slot) => slot !== except);
    const results = await Promise.allSettled(
      others.map(({ process }) => process.channel.ask('follow', config, FOLLOW_MS)),
    );
    for (const [at, result] of results.entries()) {
      if (result.status === 'fulfilled') continue;
      // It would go on with another configuration than the others. Its successor starts with the new one.
      const { index, process } = others[at] ?? {};
      this.#options.runtime.log.error(
        { err: result.reason as unknown, worker: index },
        'a worker could not follow a new configuration, and is replaced',
      );
      process?.kill();
    }
    return results.every((result) => result.status === 'fulfilled' && result.value);
  }

  async #metricsText(): Promise<string> {
    await this.#collect();
    const serving = this.#serving().length;
    return this.#metrics.text({ serving, wanted: this.#options.count, restarts: this.#restarts });
  }

  /** Asks every worker for its metrics. Never rejects. */
  async #collect(): Promise<void> {
    const { clock } = this.#options.runtime;
    await Promise.allSettled(
      this.#serving().map(async (slot) => {
        const { process, index } = slot;
        const families = await process.channel.ask('metrics', null, METRICS_MS);
        if (slot.process !== process || slot.state === 'ended') return;
        slot.answeredAtMs = clock.nowMs();
        this.#metrics.note(index, families);
      }),
    );
  }

  async #ready(): Promise<Readiness> {
    const asked = this.#serving().map(({ process }) =>
      process.channel.ask('ready', null, READY_MS),
    );
    const parts = answered<Readiness>(await Promise.allSettled(asked));
    const { count } = this.#options;
    const workers: HealthCheck = {
      name: 'workers',
      ok: parts.length === count,
      required: parts.length === 0,
      detail: parts.length === count ? null : `${parts.length} of ${count} workers answer`,
    };
    return mergeReadiness(parts, workers);
  }

  #scheduleLook(): void {
    const { timers } = this.#options.runtime;
    this.#look = timers.after(LOOK_EVERY_MS, () => {
      this.#endSilent();
      void this.#collect();
      if (!this.#isStopping) this.#scheduleLook();
    });
  }

  #endSilent(): void {
    const { clock, log } = this.#options.runtime;
    for (const { index, process, answeredAtMs } of this.#serving()) {
      const silentMs = clock.nowMs() - answeredAtMs;
      if (silentMs < SILENT_MS) continue;
      log.error({ worker: index + 1, pid: process.pid, silentMs }, 'a worker is silent: ended');
      process.kill();
    }
  }
}

/** Ready if each is. Of the checks of one name, one that failed is shown. */
export function mergeReadiness(parts: readonly Readiness[], workers: HealthCheck): Readiness {
  const byName = new Map<string, HealthCheck>();
  for (const check of parts.flatMap(({ checks }) => checks)) {
    if (!check.ok || !byName.has(check.name)) byName.set(check.name, check);
  }
  const ok = parts.length > 0 && parts.every((part) => part.ok);
  return { ok, checks: [...byName.values(), workers] };
}

const answered = <T>(results: readonly PromiseSettledResult<T>[]): T[] =>
  results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
