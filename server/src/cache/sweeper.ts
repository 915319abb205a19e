/**
 * The sweeper goes through the whole cache again and again, in bounded `SCAN` steps.
 * It finds abandoned write intents and has them recovered, and counts the lives and states that operators see.
 *
 * States: stopped -> sweeping <-> resting; backing off (the cache does not answer), then a new sweep begins.
 * The first sweep after a start or an outage reads FIRST_KEYS_PER_SECOND, so that intents left by a crash are known
 * within seconds. Later sweeps read KEYS_PER_SECOND, and begin at most every SWEEP_MIN_MS.
 *
 * Invariants
 *   - every sweep reads all keys without expiry, and at most STATE_READS_PER_PAGE of the others on each page
 *   - the sweeper writes nothing itself: recovery goes through the RecoveryService, under the key's lock
 */
import type { TtlEvent } from '@lockstep/shared';
import { type Resource } from '../domain/index.ts';
import { BackgroundLoop, type BackoffOptions, WakeUp } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { RecoveryService } from '../writes/port.ts';
import { IntentWatch } from './intent-watch.ts';
import type { EntryScanner, EntryStore, ScanPage } from './port.ts';
import { type ExpiringState, ResourceMatcher, TtlTally } from './ttl-tally.ts';

const PAGE_KEYS = 500;
const FIRST_KEYS_PER_SECOND = 20_000;
const KEYS_PER_SECOND = 2_000;
const SWEEP_MIN_MS = 2_000;
const STATE_READS_PER_PAGE = 64;
/** `SCAN` may return more keys than asked for; they are read in batches of this size. */
const READ_BATCH = 500;
const AWAY_BACKOFF: BackoffOptions = { minMs: 100, maxMs: 1_000, jitter: 'equal' };
/** The longest rest without checking the intents: one that becomes due is worked on within this time. */
const REST_MAX_MS = 250;

/** An entry that seems to have no expiry although it is not an intent. */
interface WithoutTtl {
  resource: Resource;
  cacheKey: string;
  state: ExpiringState;
  text: string;
}

export interface SweeperOptions {
  scanner: Pick<EntryScanner, 'scan'>;
  entries: Pick<EntryStore, 'readMany' | 'intentAgeMs' | 'ttlMs'>;
  recovery: RecoveryService;
  resources: ReadonlyMap<string, Resource>;
  lockTtlMs: number;
  runtime: Runtime;
}

/** Does nothing until `start`. */
export class Sweeper {
  readonly #options: SweeperOptions;
  #matcher: ResourceMatcher;
  readonly #intents: IntentWatch;
  readonly #loop: BackgroundLoop;
  /** Ends a rest when there is room for another recovery. */
  readonly #roomForIntents: WakeUp;
  #tally: TtlTally;
  #report: TtlEvent | null = null;
  #isFirstSweep = true;

  constructor(options: SweeperOptions) {
    const { runtime } = options;
    this.#options = options;
    this.#loop = new BackgroundLoop({
      pass: (signal) => this.#sweep(signal),
      backoff: AWAY_BACKOFF,
      onFailure: (error, failuresBefore) => this.#noteFailure(error, failuresBefore),
      runtime,
    });
    this.#roomForIntents = new WakeUp(runtime.timers);
    this.#matcher = new ResourceMatcher(options.resources.values());
    this.#intents = new IntentWatch(options, () => this.#roomForIntents.wake());
    this.#tally = new TtlTally(options.resources.values());
  }

  start(): void {
    this.#loop.start();
  }

  /** Resolves when the page and the recoveries in flight have ended. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#intents.idle();
  }

  /** What the last complete sweep found; until there is one, what the first has found so far (`sweep` is null). */
  ttl(): TtlEvent {
    const atMs = this.#options.runtime.clock.wallMs();
    if (this.#report !== null) return { ...this.#report, atMs };
    return { atMs, resources: this.#tally.report(), sweep: null };
  }

  #noteFailure(error: unknown, failuresBefore: number): void {
    this.#isFirstSweep = true;
    if (failuresBefore > 0) return;
    const { log } = this.#options.runtime;
    log.warn({ err: error }, 'the sweep over the cache was interrupted; it begins again');
  }

  /** One sweep and the rest after it, in which intents are worked on. Returns 0: the next sweep follows at once. */
  async #sweep(signal: AbortSignal): Promise<number> {
    const { scanner, resources, runtime } = this.#options;
    const startedAtMs = runtime.clock.nowMs();
    const keysPerSecond = this.#isFirstSweep ? FIRST_KEYS_PER_SECOND : KEYS_PER_SECOND;
    this.#matcher = new ResourceMatcher(resources.values());
    this.#tally = new TtlTally(resources.values());
    let cursor: string | null = null;
    do {
      const pageAtMs = runtime.clock.nowMs();
      const page: ScanPage = await scanner.scan(cursor, PAGE_KEYS);
      await this.#look(page);
      cursor = page.next;
      const paceMs = (page.keys.length / keysPerSecond) * 1_000;
      // In a first sweep this only lets other work run between the pages. Recoveries run at the same time.
      await this.#restUntil(pageAtMs + paceMs, signal);
    } while (cursor !== null && !signal.aborted);
    if (signal.aborted) return 0;
    const tookMs = Math.round(runtime.clock.nowMs() - startedAtMs);
    const atMs = runtime.clock.wallMs();
    this.#report = {
      atMs,
      resources: this.#tally.report(),
      sweep: { keys: this.#tally.keys, endedAtMs: atMs, tookMs },
    };
    this.#isFirstSweep = false;
    await this.#restUntil(startedAtMs + SWEEP_MIN_MS, signal);
    return 0;
  }

  /** Sleeps until that moment of the monotonic clock, working on intents as they become due. */
  async #restUntil(untilMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.runtime;
    for (;;) {
      if (signal.aborted) return;
      this.#intents.work();
      const nowMs = clock.nowMs();
      if (nowMs >= untilMs) return;
      const dueAtMs = this.#intents.isFull ? null : this.#intents.nextDueAtMs();
      const wakeAtMs = Math.min(untilMs, nowMs + REST_MAX_MS, dueAtMs ?? Infinity);
      await this.#roomForIntents.wait(Math.max(1, wakeAtMs - nowMs), signal);
    }
  }

  async #look(page: ScanPage): Promise<void> {
    const expiring: { resource: Resource; cacheKey: string }[] = [];
    const lasting: string[] = [];
    for (const { cacheKey, ttlMs } of page.keys) {
      this.#tally.keys += 1;
      const resource = this.#matcher.resourceOf(cacheKey);
      if (resource === null) continue;
      if (ttlMs === null) {
        lasting.push(cacheKey);
        continue;
      }
      this.#tally.countExpiring(resource, ttlMs);
      expiring.push({ resource, cacheKey });
    }
    for (let at = 0; at < lasting.length; at += READ_BATCH) {
      await this.#readLasting(lasting.slice(at, at + READ_BATCH));
    }
    await this.#readStates(this.#some(expiring));
  }

  /** Reads keys without expiry: intents, or entries whose expiry another program has removed. */
  async #readLasting(cacheKeys: readonly string[]): Promise<void> {
    const stored = await this.#options.entries.readMany(cacheKeys);
    const suspects: WithoutTtl[] = [];
    for (const [index, cacheKey] of cacheKeys.entries()) {
      const found = stored[index];
      const resource = this.#matcher.resourceOf(cacheKey);
      if (found === undefined || found === null || resource === null) continue;
      const { entry } = found;
      if (entry.state !== 'intent') {
        suspects.push({ resource, cacheKey, state: entry.state, text: found.text });
        continue;
      }
      this.#tally.countIntent(resource);
      const key = this.#matcher.keyOf(cacheKey);
      if (key !== null) this.#intents.note(key, entry);
    }
    if (suspects.length > 0) await this.#confirmWithoutTtl(suspects);
  }

  /**
   * A key without expiry may have been an intent that has been published since it was scanned. An entry really has no
   * expiry if its text is the same before and after its remaining life was read.
   */
  async #confirmWithoutTtl(suspects: readonly WithoutTtl[]): Promise<void> {
    const { entries } = this.#options;
    const lives = await Promise.all(suspects.map(({ cacheKey }) => entries.ttlMs(cacheKey)));
    const again = await entries.readMany(suspects.map(({ cacheKey }) => cacheKey));
    for (const [index, { resource, cacheKey, state, text }] of suspects.entries()) {
      if (lives[index] === null && again[index]?.text === text)
        this.#tally.countWithoutTtl(resource, cacheKey, state);
    }
  }

  async #readStates(some: readonly { resource: Resource; cacheKey: string }[]): Promise<void> {
    if (some.length === 0) return;
    const stored = await this.#options.entries.readMany(some.map(({ cacheKey }) => cacheKey));
    for (const [index, { resource }] of some.entries()) {
      const entry = stored[index]?.entry;
      if (entry !== undefined) this.#tally.countState(resource, entry.state);
    }
  }

  /** Some of the items, evenly spread, with a random first one. */
  #some<T>(all: readonly T[]): T[] {
    if (all.length <= STATE_READS_PER_PAGE) return [...all];
    const stride = all.length / STATE_READS_PER_PAGE;
    const offset = this.#options.runtime.random.next() * stride;
    const picked: T[] = [];
    for (let at = offset; at < all.length && picked.length < STATE_READS_PER_PAGE; at += stride) {
      const item = all[Math.floor(at)];
      if (item !== undefined) picked.push(item);
    }
    return picked;
  }
}
