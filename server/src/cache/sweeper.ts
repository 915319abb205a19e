/**
 * The sweeper: goes round and round the whole cache in bounded `SCAN` steps.
 * It finds abandoned write intents and has them recovered, and counts what operators see of lives and states.
 *
 * States: stopped -> sweeping <-> resting; away (the cache does not answer: waits, then begins a new round).
 * The first round after a start or an outage goes at FIRST_KEYS_PER_SECOND, so that intents which a crash left are
 * known within seconds; later rounds at KEYS_PER_SECOND, one at most every ROUND_MIN_MS.
 *
 * Invariants
 *   - every key without expiry is read in every round; of the others at most STATE_READS_PER_PAGE a page
 *   - nothing is written here: recovery goes through the RecoveryService, under the key's lock
 */
import type { TtlEvent } from '@lockstep/shared';
import { type Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { RecoveryService } from '../writes/port.ts';
import { IntentWatch } from './intent-watch.ts';
import type { EntryScanner, EntryStore, ScanPage } from './port.ts';
import { type ExpiringState, ResourceMatcher, TtlTally } from './ttl-tally.ts';

const PAGE_KEYS = 500;
const FIRST_KEYS_PER_SECOND = 20_000;
const KEYS_PER_SECOND = 2_000;
const ROUND_MIN_MS = 2_000;
const STATE_READS_PER_PAGE = 64;
/** `SCAN` may answer more than asked for; `readMany` takes at most this. */
const READ_BATCH = 500;
const AWAY_MIN_MS = 100;
const AWAY_MAX_MS = 1_000;
/** Longest nap: intents that become due in between are never later than this. */
const NAP_MAX_MS = 250;

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

export interface Sweeper {
  start(): void;
  /** Resolves when the page and the recoveries under way have ended. */
  stop(): Promise<void>;
  /** What the last complete sweep met; before the first one, what this one has met so far (`sweep` is null). */
  ttl(): TtlEvent;
}

/** Creates the sweeper; it does nothing until `start`. */
export function createSweeper(options: SweeperOptions): Sweeper {
  return new CacheSweeper(options);
}

class CacheSweeper implements Sweeper {
  readonly #options: SweeperOptions;
  #matcher: ResourceMatcher;
  readonly #intents: IntentWatch;
  #stopping = new AbortController();
  #nap = new AbortController();
  #running: Promise<void> | null = null;
  #tally: TtlTally;
  #report: TtlEvent | null = null;
  #isFirstRound = true;
  #failures = 0;

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#matcher = new ResourceMatcher(options.resources.values());
    this.#intents = new IntentWatch(options, () => this.#nap.abort());
    this.#tally = new TtlTally(options.resources.values());
  }

  start(): void {
    if (this.#running !== null) return;
    this.#stopping = new AbortController();
    this.#running = this.#loop();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#nap.abort();
    await this.#running;
    this.#running = null;
  }

  ttl(): TtlEvent {
    const atMs = this.#options.runtime.clock.wallMs();
    if (this.#report !== null) return { ...this.#report, atMs };
    return { atMs, resources: this.#tally.report(), sweep: null };
  }

  async #loop(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#round();
        this.#isFirstRound = false;
        this.#failures = 0;
      } catch (error) {
        await this.#waitAfter(error);
      }
    }
    await this.#intents.settled();
  }

  async #waitAfter(error: unknown): Promise<void> {
    const { runtime } = this.#options;
    if (this.#failures === 0) {
      runtime.log.warn({ err: error }, 'the sweep over the cache was interrupted; it begins again');
    }
    this.#isFirstRound = true;
    const boundMs = Math.min(AWAY_MAX_MS, AWAY_MIN_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    await runtime.timers.sleep(boundMs, this.#stopping.signal);
  }

  async #round(): Promise<void> {
    const { scanner, resources, runtime } = this.#options;
    const { signal } = this.#stopping;
    const startedAtMs = runtime.clock.nowMs();
    const keysPerSecond = this.#isFirstRound ? FIRST_KEYS_PER_SECOND : KEYS_PER_SECOND;
    this.#matcher = new ResourceMatcher(resources.values());
    this.#tally = new TtlTally(resources.values());
    let cursor: string | null = null;
    do {
      const pageAtMs = runtime.clock.nowMs();
      const page: ScanPage = await scanner.scan(cursor, PAGE_KEYS);
      await this.#look(page);
      cursor = page.next;
      const paceMs = (page.keys.length / keysPerSecond) * 1_000;
      // The pages of a first round only yield to other work between them; the intents' recoveries run beside.
      await this.#restUntil(pageAtMs + paceMs);
    } while (cursor !== null && !signal.aborted);
    if (signal.aborted) return;
    const tookMs = Math.round(runtime.clock.nowMs() - startedAtMs);
    const atMs = runtime.clock.wallMs();
    this.#report = {
      atMs,
      resources: this.#tally.report(),
      sweep: { keys: this.#tally.keys, endedAtMs: atMs, tookMs },
    };
    await this.#restUntil(startedAtMs + ROUND_MIN_MS);
  }

  /** Sleeps until that moment of the monotonic clock, working on intents as they become due. */
  async #restUntil(untilMs: number): Promise<void> {
    const { clock, timers } = this.#options.runtime;
    const { signal } = this.#stopping;
    for (;;) {
      if (signal.aborted) return;
      this.#intents.work();
      const nowMs = clock.nowMs();
      if (nowMs >= untilMs) return;
      const dueAtMs = this.#intents.isFull ? null : this.#intents.nextDueAtMs();
      const wakeAtMs = Math.min(untilMs, nowMs + NAP_MAX_MS, dueAtMs ?? Infinity);
      this.#nap = new AbortController();
      await timers.sleep(Math.max(1, wakeAtMs - nowMs), this.#nap.signal);
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

  /** Keys without expiry: intents, or entries that some other program left so. */
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
   * What had no expiry when it was scanned may have been an intent that was published since: an entry has none where it
   * is the same before and after it was asked for its life.
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

  /** Evenly spread over the page, beginning at random. */
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
