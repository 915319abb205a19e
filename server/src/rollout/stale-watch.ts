/**
 * Finds out what a cache that a service still keeps would answer old: `rollout: shadow`. Nothing in the cache is changed.
 *
 * Every invalidation that another part of Lockstep asks for comes here instead, if its cache key belongs to a resource in
 * shadow. The entry is looked at twice: at once, and after `GRACE_MS`, in which the service has had time to bring it up
 * to date itself.
 *
 * States of a cache key
 *   asked     an invalidation came; its first look is due at once
 *   seen      looked at once; the second look is due after the grace
 *   stale     still old at the second look: looked at again every second until it is gone or right
 *
 * Invariants
 *   - what is remembered is bounded by MAX_KEYS; what does not fit is counted, and not looked at
 *   - a look does not count as a use of the entry (`CLIENT NO-TOUCH`), so that the idle time is that of the readers
 */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { RolloutReport, Row } from '@lockstep/shared';
import { rowsOfKeys } from '../database/index.ts';
import type { RowStore } from '../database/port.ts';
import { isInShadow, type Key, keyFromCacheKey, type Resource } from '../domain/index.ts';
import { BackgroundLoop, type BackoffOptions } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { agreesWithRow } from './cached-copy.ts';

const MAX_KEYS = 10_000;
/** How many entries one pass looks at. */
const PASS_KEYS = 500;
const GRACE_MS = 2_000;
const LOOK_EVERY_MS = 1_000;
/** The pause while nothing is watched; an invalidation ends it. */
const IDLE_MS = 3_600_000;
const BACKOFF: BackoffOptions = { minMs: 200, maxMs: 5_000, jitter: 'equal' };

export interface StaleWatchOptions {
  /** Opens a connection of its own to the cache, and resolves when it can be used. */
  connect: () => Promise<Redis>;
  rows: Pick<RowStore, 'readMany'>;
  resources: ReadonlyMap<string, Resource>;
  runtime: Runtime;
}

type Found = keyof RolloutReport['found'];

interface Watched {
  resource: Resource;
  /** Null for a cache key of an `invalidates` template. */
  key: Key | null;
  cacheKey: string;
  state: 'asked' | 'seen' | 'stale';
  /** Of what the first look found; null: nothing. */
  digest: string | null;
  dueAtMs: number;
  lookedAtMs: number;
}

/** What a look found at a cache key. */
interface Look {
  /** Null: nothing, or no text. */
  text: string | null;
  digest: string | null;
  /** Since the last read or write; null: not known. */
  idleMs: number | null;
}

/** Does nothing until a resource is in shadow. */
export class StaleWatch {
  readonly #options: StaleWatchOptions;
  readonly #loop: BackgroundLoop;
  readonly #watched = new Map<string, Watched>();
  readonly #reports = new Map<string, RolloutReport>();
  #inShadow: Resource[] = [];
  #others: Resource[] = [];
  #connection: Redis | null = null;

  constructor(options: StaleWatchOptions) {
    this.#options = options;
    this.#loop = new BackgroundLoop({
      pass: () => this.#pass(),
      backoff: BACKOFF,
      onFailure: (error, before) => {
        if (before === 0)
          options.runtime.log.warn({ err: error }, 'entries in shadow could not be looked at');
      },
      runtime: options.runtime,
    });
  }

  /** To be called when the resources change. */
  refresh(): void {
    const all = [...this.#options.resources.values()];
    this.#inShadow = all.filter(isInShadow);
    this.#others = all.filter((each) => !isInShadow(each));
    for (const each of this.#watched.values()) this.#follow(each);
    for (const name of this.#reports.keys())
      if (!this.#inShadow.some((each) => each.name === name)) this.#reports.delete(name);
    for (const { name } of this.#inShadow)
      if (!this.#reports.has(name)) this.#reports.set(name, newReport(name));
  }

  /** After a reload a resource is another object, perhaps with other columns. */
  #follow(each: Watched): void {
    const { cacheKey } = each;
    const resource = this.#inShadow.find(({ name }) => name === each.resource.name);
    if (resource === undefined) this.#watched.delete(cacheKey);
    else if (resource !== each.resource) {
      each.resource = resource;
      each.key = keyFromCacheKey(resource, cacheKey);
    }
  }

  start(): void {
    this.refresh();
    this.#loop.start();
  }

  /** Never rejects. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    this.#connection?.disconnect();
    this.#connection = null;
  }

  /**
   * Takes an invalidation over, if the entry belongs to a resource in shadow.
   * @returns false for every other cache key
   */
  takes(cacheKey: string): boolean {
    const resource = this.#shadowOf(cacheKey);
    if (resource === null) return false;
    const report = this.#reports.get(resource.name);
    if (report !== undefined) report.invalidations += 1;
    if (this.#watched.size >= MAX_KEYS && !this.#watched.has(cacheKey)) {
      if (report !== undefined) report.notLookedAt += 1;
      return true;
    }
    const nowMs = this.#options.runtime.clock.nowMs();
    const key = keyFromCacheKey(resource, cacheKey);
    this.#watched.set(cacheKey, {
      ...{ resource, key, cacheKey, state: 'asked', digest: null },
      ...{ dueAtMs: nowMs, lookedAtMs: nowMs },
    });
    this.#loop.wake();
    return true;
  }

  /** What this coordinator has seen since its start, by resource. */
  report(): RolloutReport[] {
    return [...this.#reports.values()].map((report) => ({ ...report, found: { ...report.found } }));
  }

  #shadowOf(cacheKey: string): Resource | null {
    if (this.#inShadow.length === 0) return null;
    const owner = this.#inShadow.find(({ cacheKey: own }) => own.match(cacheKey) !== null);
    if (owner !== undefined) return owner;
    const names = ({ invalidates }: Resource): boolean =>
      invalidates.some((template) => template.match(cacheKey) !== null);
    // A key that another resource's writes invalidate too is invalidated.
    return this.#others.some(names) ? null : (this.#inShadow.find(names) ?? null);
  }

  /** Returns the pause until the next pass. */
  async #pass(): Promise<number> {
    const nowMs = this.#options.runtime.clock.nowMs();
    const due = [...this.#watched.values()]
      .filter(({ dueAtMs }) => dueAtMs <= nowMs)
      .slice(0, PASS_KEYS);
    if (due.length > 0) await this.#look(due, nowMs);
    this.#countStale();
    if (due.length === PASS_KEYS) return 0;
    if (this.#watched.size === 0) return IDLE_MS;
    const next = Math.min(...[...this.#watched.values()].map(({ dueAtMs }) => dueAtMs));
    return Math.max(1, Math.min(LOOK_EVERY_MS, next - nowMs));
  }

  async #look(due: readonly Watched[], nowMs: number): Promise<void> {
    const looks = await this.#looksAt(due.map(({ cacheKey }) => cacheKey));
    const rows = await this.#rowsOf(due);
    for (const [at, each] of due.entries()) {
      const look = looks[at];
      if (look === undefined || this.#watched.get(each.cacheKey) !== each) continue;
      const row = each.key === null ? undefined : rows.get(each.key);
      this.#judge(each, look, row, nowMs);
    }
  }

  /** @param row undefined: not known, or there is none to compare with */
  #judge(each: Watched, look: Look, row: Row | null | undefined, nowMs: number): void {
    const sinceMs = nowMs - each.lookedAtMs;
    each.lookedAtMs = nowMs;
    if (each.state === 'asked') {
      each.state = 'seen';
      each.digest = look.digest;
      each.dueAtMs = nowMs + GRACE_MS;
      return;
    }
    const found = foundAt(each, look, row);
    const report = this.#reports.get(each.resource.name);
    const isOld = found === 'stale' || found === 'unchanged';
    if (each.state === 'seen' && report !== undefined) report.found[found] += 1;
    if (each.state === 'stale' && isOld && report !== undefined) countReads(report, look, sinceMs);
    if (!isOld) {
      this.#watched.delete(each.cacheKey);
      return;
    }
    each.state = 'stale';
    each.dueAtMs = nowMs + LOOK_EVERY_MS;
  }

  #countStale(): void {
    for (const report of this.#reports.values()) report.staleNow = 0;
    for (const { state, resource } of this.#watched.values()) {
      const report = this.#reports.get(resource.name);
      if (state === 'stale' && report !== undefined) report.staleNow += 1;
    }
  }

  /** Rejects where the cache does not answer: the entries stay due, and the loop tries again. */
  async #looksAt(cacheKeys: readonly string[]): Promise<Look[]> {
    const redis = (this.#connection ??= await this.#options.connect());
    const pipeline = redis.pipeline();
    // A server before Redis 7.2 does not know it: its idle times are then those of these looks, and not used.
    pipeline.client('NO-TOUCH', 'ON');
    for (const cacheKey of cacheKeys) {
      pipeline.object('IDLETIME', cacheKey);
      pipeline.dumpBuffer(cacheKey);
      pipeline.get(cacheKey);
    }
    const [noTouch, ...answers] = (await pipeline.exec()) ?? [];
    const isUntouched = noTouch?.[0] === null;
    return cacheKeys.map((_, at) => {
      const [idle, dump, text] = answers.slice(at * 3, at * 3 + 3);
      const [error, dumped]: [Error | null, unknown] = dump ?? [NO_ANSWER, null];
      // Where the cache does not answer, it is not known whether it has an entry.
      if (error !== null) throw error;
      return {
        text: typeof text?.[1] === 'string' ? text[1] : null,
        digest: Buffer.isBuffer(dumped) ? digestOf(dumped) : null,
        idleMs: isUntouched && typeof idle?.[1] === 'number' ? idle[1] * 1_000 : null,
      };
    });
  }

  /** @throws what a table could not be read for */
  async #rowsOf(due: readonly Watched[]): Promise<Map<Key, Row | null>> {
    const keys = due.flatMap(({ key, state }) => (key === null || state === 'asked' ? [] : [key]));
    const found = new Map<Key, Row | null>();
    for (const [key, row] of await rowsOfKeys(this.#options.rows, keys)) {
      if (row instanceof Error) throw row;
      found.set(key, row);
    }
    return found;
  }
}

function foundAt({ digest, resource }: Watched, look: Look, row: Row | null | undefined): Found {
  if (look.digest === null) return digest === null ? 'absent' : 'removed';
  const names = resource.keyColumns.map(({ name }) => name);
  const agrees =
    look.text === null || row === undefined ? null : agreesWithRow(look.text, row, names);
  if (agrees !== null) return agrees ? 'current' : 'stale';
  return look.digest === digest ? 'unchanged' : 'replaced';
}

/** An entry that was used since the last look was read old at least once. */
function countReads(report: RolloutReport, { idleMs }: Look, sinceMs: number): void {
  if (idleMs === null) report.staleReads = null;
  else if (idleMs < sinceMs && report.staleReads !== null) report.staleReads += 1;
}

const NO_ANSWER = new Error('the cache did not answer');

const digestOf = (dump: Buffer): string => createHash('sha256').update(dump).digest('base64');

const newReport = (resource: string): RolloutReport => ({
  resource,
  invalidations: 0,
  notLookedAt: 0,
  found: { absent: 0, removed: 0, replaced: 0, current: 0, unchanged: 0, stale: 0 },
  staleNow: 0,
  staleReads: 0,
});
