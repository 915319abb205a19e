/**
 * The load: callers in closed loops, each with one call in flight. Their requests depend only on the seed, so each
 * caller sends every contender the same requests in the same order.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { Zipf } from '../../server/src/demo/zipf.ts';
import { type Contender, FailedCall, type Written } from './contender.ts';
import { Judge } from './judge.ts';
import { Samples } from './samples.ts';

export interface LoadOptions {
  /** The load ends after so many answered requests, when those in flight have ended too. */
  requests: number;
  callers: number;
  seed: number;
}

/** The skew of YCSB's workloads: the hottest of the keys gets every tenth request. */
export const KEY_COUNT = 10_000;
const ZIPF_EXPONENT = 0.99;
const WRITE_SHARE = 0.1;
/**
 * The share of writes that read first and write that value plus one. Their keys are less skewed (the hottest gets every
 * 200th): on a very hot key, callers have to read again after each write in between, and the run would measure
 * contention.
 */
const READ_THEN_WRITE_SHARE = 0.2;
const READ_THEN_WRITE_EXPONENT = 0.5;
/** How long callers wait if all processes are down, or a call failed at once. */
const NOBODY_THERE_MS = 10;

export interface LoadResult {
  requests: number;
  tookMs: number;
  judge: Judge;
  readMs: Samples;
  /** Durations of plain writes. */
  writeMs: Samples;
  writes: number;
  databaseReads: number;
  /** By kind of failure. */
  errors: Record<string, number>;
  /** For each key, how many writes were acknowledged, and how many of them added one to its counter. */
  acknowledged: { writes: Int32Array; additions: Int32Array };
}

export class Load {
  readonly #contender: Contender;
  readonly #options: LoadOptions;
  readonly #skewed = new Zipf(KEY_COUNT, ZIPF_EXPONENT);
  readonly #lessSkewed = new Zipf(KEY_COUNT, READ_THEN_WRITE_EXPONENT);
  readonly #result: LoadResult;

  constructor(contender: Contender, options: LoadOptions) {
    this.#contender = contender;
    this.#options = options;
    this.#result = {
      requests: 0,
      tookMs: 0,
      judge: new Judge(KEY_COUNT),
      readMs: new Samples(),
      writeMs: new Samples(),
      writes: 0,
      databaseReads: 0,
      errors: {},
      acknowledged: {
        writes: new Int32Array(KEY_COUNT + 1),
        additions: new Int32Array(KEY_COUNT + 1),
      },
    };
  }

  /** How many requests were answered so far. */
  get requests(): number {
    return this.#result.requests;
  }

  async run(): Promise<LoadResult> {
    const startedAtMs = performance.now();
    const callers = Array.from({ length: this.#options.callers }, (_, caller) =>
      this.#callInALoop(caller),
    );
    await Promise.all(callers);
    this.#result.tookMs = performance.now() - startedAtMs;
    return this.#result;
  }

  async #callInALoop(caller: number): Promise<void> {
    const random = new SeededRandom(this.#options.seed + caller * 7_919);
    while (this.#result.requests < this.#options.requests) {
      const [rank, kind, value] = [random.next(), random.next(), random.below(1_000_000_000)];
      const isReadThenWrite = kind < WRITE_SHARE * READ_THEN_WRITE_SHARE;
      const key = 1 + (isReadThenWrite ? this.#lessSkewed : this.#skewed).pick(rank);
      const process = await this.#processFor(caller);
      try {
        if (isReadThenWrite) await this.#readThenWrite(process, caller, key);
        else if (kind < WRITE_SHARE) await this.#write(process, caller, key, value);
        else await this.#read(process, caller, key);
        this.#result.requests++;
      } catch (error) {
        if (!(error instanceof FailedCall)) throw error;
        const { errors } = this.#result;
        errors[error.kind] = (errors[error.kind] ?? 0) + 1;
        await sleep(NOBODY_THERE_MS);
      }
    }
  }

  async #read(process: number, caller: number, key: number): Promise<void> {
    const { judge } = this.#result;
    const atMs = performance.now();
    const sent = judge.send(key, atMs);
    const { n, fromDatabase } = await this.#contender.read(process, caller, key);
    this.#result.readMs.add(performance.now() - atMs);
    judge.onRead(key, n, sent);
    if (fromDatabase) this.#result.databaseReads++;
  }

  async #write(process: number, caller: number, key: number, value: number): Promise<void> {
    const atMs = performance.now();
    const written = await this.#contender.write(process, caller, key, value);
    const nowMs = performance.now();
    this.#result.writeMs.add(nowMs - atMs);
    this.#onWrite(key, written, nowMs);
  }

  async #readThenWrite(process: number, caller: number, key: number): Promise<void> {
    const written = await this.#contender.readThenWrite(process, caller, key);
    const { additions } = this.#result.acknowledged;
    additions[key] = (additions[key] ?? 0) + 1;
    this.#onWrite(key, written, performance.now());
  }

  #onWrite(key: number, written: Written, nowMs: number): void {
    const { writes } = this.#result.acknowledged;
    writes[key] = (writes[key] ?? 0) + 1;
    this.#result.writes++;
    this.#result.judge.onWrite(key, written, nowMs);
  }

  /** Each caller has its own process, and uses the next one while that is down. */
  async #processFor(caller: number): Promise<number> {
    const { processes } = this.#contender;
    for (;;) {
      for (let offset = 0; offset < processes.length; offset++) {
        const index = (caller + offset) % processes.length;
        if (processes[index]?.isUp === true) return index;
      }
      this.#failIfCrashed();
      await sleep(NOBODY_THERE_MS);
    }
  }

  #failIfCrashed(): void {
    for (const { crash } of this.#contender.processes) if (crash !== null) throw new Error(crash);
  }
}
