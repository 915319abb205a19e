import { encodeEntry, decodeEntry, type Entry } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import { CacheKeyTemplate, LockstepError, type Key } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import type { RecoveryService } from '../writes/port.ts';
import type { Intent, ScanPage, StoredEntry } from './port.ts';
import { Sweeper } from './sweeper.ts';

const LOCK_TTL_MS = 8_000;
const account = resource({ ttlMs: 100_000, ttlJitter: 0 });
const order = resource({ name: 'order', cacheKey: new CacheKeyTemplate('account:order:{id}') });

interface Cached {
  text: string;
  ttlMs: number | null;
}

/** The sweeper over a cache in memory whose clock is the runtime's. */
function set() {
  const runtime = manualRuntime();
  const cached = new Map<string, Cached>();
  /** Keys that were intents when they were scanned. */
  const published = new Set<string>();
  const state = { isAway: false, scans: 0, recovering: 0, mostAtOnce: 0, failures: 0 };
  const recovered: string[] = [];
  const answer = <T>(value: () => T): Promise<T> =>
    state.isAway
      ? Promise.reject(new LockstepError('CACHE_UNAVAILABLE', 'away'))
      : Promise.resolve(value());
  const scanner = {
    scan: (cursor: string | null, count: number) =>
      answer((): ScanPage => {
        state.scans += 1;
        const from = Number(cursor ?? '0');
        const names = [...cached.keys()];
        const page = names.slice(from, from + count);
        const next = from + count < names.length ? String(from + count) : null;
        return {
          next,
          keys: page.map((cacheKey) => ({
            cacheKey,
            ttlMs: published.has(cacheKey) ? null : (cached.get(cacheKey)?.ttlMs ?? null),
          })),
        };
      }),
  };
  const stored = (cacheKey: string): StoredEntry | null => {
    const text = cached.get(cacheKey)?.text;
    return text === undefined ? null : { entry: decodeEntry(text), text };
  };
  const entries = {
    readMany: (keys: readonly string[]) => answer(() => keys.map(stored)),
    ttlMs: (cacheKey: string) => answer(() => cached.get(cacheKey)?.ttlMs),
    intentAgeMs: (cacheKey: string, { intentId, fence }: Intent) =>
      answer(() => {
        const entry = stored(cacheKey)?.entry;
        if (entry?.state !== 'intent' || entry.fence !== fence) return null;
        if (entry.intentId !== intentId) return null;
        return runtime.clock.nowMs() - entry.writtenAtMs;
      }),
  };
  const recovery: RecoveryService = {
    async recover(key: Key) {
      state.recovering += 1;
      state.mostAtOnce = Math.max(state.mostAtOnce, state.recovering);
      await runtime.timers.sleep(10);
      state.recovering -= 1;
      if (state.failures > 0) {
        state.failures -= 1;
        throw new LockstepError('LOCK_TIMEOUT', 'held');
      }
      recovered.push(key.text);
      put(key.cacheKey, { state: 'value' }, 100_000);
      return { version: 1 };
    },
  };
  const put = (
    cacheKey: string,
    entry: { state: Entry['state']; fence?: number },
    ttlMs: number | null,
  ): void => {
    const base = {
      version: 1,
      fence: 1,
      writtenAtMs: runtime.clock.nowMs(),
      intentId: 'a',
      marked: false,
    };
    const text = encodeEntry({ leaseId: 'l', row: {}, ...base, ...entry });
    cached.set(cacheKey, { text, ttlMs });
  };
  const sweeper = new Sweeper({
    scanner,
    entries,
    recovery,
    resources: new Map([
      ['account', account],
      ['order', order],
    ]),
    lockTtlMs: LOCK_TTL_MS,
    runtime,
  });
  return { runtime, cached, published, put, state, recovered, sweeper };
}

describe('the sweeper', () => {
  it('recovers an abandoned intent as soon as it is older than the lock can live, not before (X1)', async () => {
    const { runtime, put, recovered, sweeper } = set();
    put('account:7', { state: 'intent' }, null);
    sweeper.start();
    await runtime.advance(LOCK_TTL_MS - 100);
    expect(recovered).toEqual([]);
    await runtime.advance(200);
    expect(recovered).toEqual(['7']);
    await sweeper.stop();
  });

  it('leaves an intent alone that its owner published (X1)', async () => {
    const { runtime, put, recovered, sweeper } = set();
    put('account:7', { state: 'intent' }, null);
    sweeper.start();
    await runtime.advance(1_000);
    put('account:7', { state: 'value' }, 1_000);
    await runtime.advance(20_000);
    expect(recovered).toEqual([]);
    await sweeper.stop();
  });

  it('does not take a new intent of a key for the old one', async () => {
    const { runtime, put, recovered, sweeper } = set();
    put('account:7', { state: 'intent', fence: 1 }, null);
    sweeper.start();
    await runtime.advance(4_000);
    put('account:7', { state: 'intent', fence: 2 }, null);
    await runtime.advance(LOCK_TTL_MS - 100);
    expect(recovered).toEqual([]);
    await runtime.advance(3_000);
    expect(recovered).toEqual(['7']);
    await sweeper.stop();
  });

  it('resolves thousands of intents after a crash within seconds, few at once', async () => {
    const { runtime, put, state, recovered, sweeper } = set();
    for (let id = 0; id < 3_000; id += 1) put(`account:${id}`, { state: 'intent' }, null);
    for (let id = 0; id < 10_000; id += 1) put(`account:order:${id}`, { state: 'value' }, 5_000);
    runtime.stall(LOCK_TTL_MS + 1);
    sweeper.start();
    await runtime.advanceUntil(() => recovered.length === 3_000, 10_000, 50);
    expect(state.mostAtOnce).toBeLessThanOrEqual(8);
    await sweeper.stop();
  });

  it('tries again, patiently, when a recovery fails', async () => {
    const { runtime, put, state, recovered, sweeper } = set();
    put('account:7', { state: 'intent' }, null);
    state.failures = 3;
    runtime.stall(LOCK_TTL_MS + 1);
    sweeper.start();
    await runtime.advanceUntil(() => recovered.length === 1, 5_000, 50);
    await sweeper.stop();
  });

  it('takes an intent that was published between its scan and its read for no entry without expiry', async () => {
    const { runtime, put, published, sweeper } = set();
    put('account:1', { state: 'value' }, 95_000);
    published.add('account:1');
    put('account:2', { state: 'value' }, null);
    sweeper.start();
    await runtime.advance(2_500);
    expect(sweeper.ttl().resources[0]?.withoutTtlKeys).toEqual(['account:2']);
    await sweeper.stop();
  });

  it('counts lives, states and entries without expiry by resource', async () => {
    const { runtime, put, cached, sweeper } = set();
    put('account:1', { state: 'value' }, 95_000);
    put('account:2', { state: 'value' }, 5_000);
    put('account:3', { state: 'tombstone' }, 15_000);
    put('account:4', { state: 'lease' }, 1_000);
    put('account:5', { state: 'intent' }, null);
    put('account:6', { state: 'value' }, null);
    put('account:order:1', { state: 'value' }, 900_000);
    cached.set('account:nobody', { text: 'x', ttlMs: null });
    cached.set('session:1', { text: 'x', ttlMs: null });
    expect(sweeper.ttl().sweep).toBeNull();
    sweeper.start();
    await runtime.advance(2_500);
    const { resources, sweep } = sweeper.ttl();
    expect(sweep?.keys).toBe(9);
    const [accounts, orders] = resources;
    expect(accounts?.entries).toEqual({ value: 4, lease: 1, intent: 1, tombstone: 1 });
    expect(accounts?.withoutTtl).toBe(2);
    expect(accounts?.withoutTtlKeys).toEqual(['account:6', 'account:nobody']);
    expect(accounts?.buckets.filter(({ count }) => count > 0)).toEqual([
      { upToMs: 10_000, count: 2 },
      { upToMs: 20_000, count: 1 },
      { upToMs: 100_000, count: 1 },
    ]);
    expect(orders?.buckets.at(-1)).toEqual({ upToMs: null, count: 1 });
    await sweeper.stop();
  });

  it('goes fast at first and slowly afterwards, with a pause between rounds', async () => {
    const { runtime, put, state, sweeper } = set();
    for (let id = 0; id < 10_000; id += 1) put(`account:${id}`, { state: 'value' }, 5_000);
    sweeper.start();
    await runtime.advanceUntil(() => sweeper.ttl().sweep !== null, 1_000, 10);
    expect(sweeper.ttl().sweep?.tookMs).toBeLessThan(600);
    await runtime.advance(2_000);
    const before = state.scans;
    await runtime.advance(1_000);
    expect(state.scans - before).toBeLessThanOrEqual(5);
    await sweeper.stop();
  });

  it('waits while the cache is away and begins again at full speed', async () => {
    const { runtime, put, state, recovered, sweeper } = set();
    put('account:7', { state: 'intent' }, null);
    state.isAway = true;
    sweeper.start();
    await runtime.advance(30_000);
    expect(runtime.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    state.isAway = false;
    await runtime.advance(1_500);
    expect(recovered).toEqual(['7']);
    await sweeper.stop();
    expect(runtime.pendingTimers).toBe(0);
  });
});
