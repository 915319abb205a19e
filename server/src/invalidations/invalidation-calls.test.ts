import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { MemoryLeadershipStore } from '@lockstep/testkit/doubles/memory-leadership-store';
import { resource } from '@lockstep/testkit/doubles/resource';
import {
  CacheKeyTemplate,
  LockstepError,
  type Resource,
  type TelemetryEvent,
} from '../domain/index.ts';
import { Leadership } from '../jobs/index.ts';
import { InvalidationCalls } from './invalidation-calls.ts';
import type { InvalidationCall, Postponement } from './port.ts';

const account = resource({
  policy: 'delete-after-write',
  invalidates: [new CacheKeyTemplate('page:{owner}')],
});
const vault = resource({ name: 'vault', cacheKey: new CacheKeyTemplate('vault:{id}') });

interface QueuedCall extends InvalidationCall {
  createdAtMs: number;
  dueAtMs: number;
  isUnknown: boolean;
}

/** Calls in memory, a cache that can be away or slow, and coordinators that carry the calls out. */
function world(pollMs = 5) {
  const runtime = manualRuntime();
  const { clock } = runtime;
  const state = {
    rows: [] as QueuedCall[],
    dead: [] as string[],
    isAway: false,
    looks: 0,
    reads: 0,
  };
  const events: TelemetryEvent[] = [];
  const cache = {
    available: true,
    failing: new Set<string>(),
    /** How many keys it takes in time. */
    most: Infinity,
    sent: [] as string[],
    invalidateMany(items: readonly { cacheKey: string; version: number | null }[]) {
      if (!cache.available) return Promise.reject(new LockstepError('CACHE_UNAVAILABLE', 'away'));
      cache.sent.push(...items.map(({ cacheKey }) => cacheKey));
      const late = new LockstepError('CACHE_UNAVAILABLE', 'late');
      const results = items.map(({ cacheKey }, at) =>
        cache.failing.has(cacheKey)
          ? new Error('WRONGTYPE')
          : at < cache.most
            ? ('invalidated' as const)
            : late,
      );
      return Promise.resolve(results);
    },
  };
  const look = (isWanted: (row: QueuedCall) => boolean, limit: number) => {
    state.looks += 1;
    if (state.isAway) return Promise.reject(new LockstepError('DATABASE_UNAVAILABLE', 'away'));
    const found = state.rows.filter(isWanted).slice(0, limit);
    return Promise.resolve(
      found.map((row) => ({ ...row, ageMs: clock.nowMs() - row.createdAtMs })),
    );
  };
  const isDue = (row: QueuedCall): boolean => row.dueAtMs <= clock.nowMs();
  const remove = (ids: readonly string[]): Promise<void> => {
    state.rows = state.rows.filter(({ id }) => !ids.includes(id));
    return Promise.resolve();
  };
  const postpone = async (item: Postponement): Promise<void> => {
    const row = state.rows.find(({ id }) => id === item.id);
    if (row === undefined) return;
    if (item.kind === 'dead') {
      state.dead.push(item.error);
      return remove([item.id]);
    }
    row.dueAtMs = clock.nowMs() + item.delayMs;
    row.isUnknown = item.kind === 'unknown';
    if (item.kind === 'retry' && item.counted) row.attempts += 1;
  };
  const rows = {
    fault: null as Error | null,
    readMany: (_: Resource, keys: readonly unknown[]) => {
      state.reads += 1;
      if (rows.fault !== null) return Promise.reject(rows.fault);
      return Promise.resolve(keys.map(() => ({ version: 1, fence: 0, row: { owner: 'ann' } })));
    },
  };
  /** The cluster's epochs of resources that it has switched. */
  const epochs = new Map<string, number>();
  const leadership = new Leadership(new MemoryLeadershipStore(clock), runtime);
  const coordinator = (...resources: Resource[]): InvalidationCalls =>
    new InvalidationCalls({
      forgetLocal: () => Promise.resolve(),
      store: {
        due: (limit) => look(isDue, limit),
        left: (limit, graceMs) =>
          look(
            (row) => clock.nowMs() - row.createdAtMs >= graceMs && (isDue(row) || row.isUnknown),
            limit,
          ),
        remove,
        postpone: async (items) => {
          for (const item of items) await postpone(item);
        },
      },
      scanner: {
        scan: () =>
          Promise.resolve({
            next: null,
            keys: ['account:1', 'vault:1'].map((cacheKey) => ({ cacheKey, ttlMs: null })),
          }),
      },
      ...{ entries: cache, rows, leadership, runtime, pollMs },
      resources: new Map(resources.map((each) => [each.name, each])),
      isCurrent: ({ name, epoch = 1 }) => epoch >= (epochs.get(name) ?? 1),
      telemetry: { emit: (event) => events.push(event) },
    });
  let lastId = 0;
  const call = (name: string, ...parts: (string | null)[]): void => {
    const createdAtMs = clock.nowMs();
    const fresh = { attempts: 0, ageMs: 0, createdAtMs, dueAtMs: -Infinity, isUnknown: false };
    state.rows.push({ ...fresh, id: String(++lastId), resource: name, parts, changes: null });
  };
  return { runtime, state, events, cache, rows, epochs, coordinator, call };
}

describe('the calls of lockstep_invalidate', () => {
  it('W19: are carried out by the leader within its next look, and removed afterwards', async () => {
    const { runtime, state, events, cache, coordinator, call } = world();
    const leader = coordinator(account);
    leader.start();
    await runtime.advance(100);
    call('account', '007');
    await runtime.advance(6);
    expect(cache.sent).toEqual(['account:7', 'page:ann']);
    expect(state.rows).toHaveLength(1);
    await runtime.advance(60);
    expect(state.rows).toEqual([]);
    // A row that waits for its removal is not taken again.
    expect(cache.sent).toHaveLength(2);
    expect(events.map(({ type }) => type)).toEqual(['calls-carried-out', 'invalidated']);
    await leader.stop();
    expect(runtime.pendingTimers).toBe(0);
  });

  it('are left to the leader by the others, who take what it leaves', async () => {
    const { runtime, state, cache, coordinator, call } = world();
    const [leader, follower] = [coordinator(account), coordinator(account)];
    leader.start();
    await runtime.advance(10);
    follower.start();
    await runtime.advance(1_000);
    const { looks } = state;
    await leader.stop();
    call('account', '1');
    await runtime.advance(600);
    expect(cache.sent).toContain('account:1');
    expect(state.looks - looks).toBeLessThan(5);
    // The follower leads soon, and then looks more often.
    await runtime.advance(3_000);
    call('account', '2');
    await runtime.advance(6);
    expect(cache.sent).toContain('account:2');
    await follower.stop();
  });

  it('W20: of a resource that the leader does not know are taken by a coordinator that knows it', async () => {
    const { runtime, state, cache, coordinator, call } = world(100);
    const [leader, follower] = [coordinator(account), coordinator(account, vault)];
    leader.start();
    await runtime.advance(10);
    follower.start();
    call('vault', '1');
    call('account', '1');
    await runtime.advance(101);
    expect(cache.sent).toContain('account:1');
    expect(leader.fault).toMatch(/vault, which is not configured here/);
    await runtime.advance(1_000);
    expect(cache.sent).toContain('vault:1');
    expect(state.rows).toEqual([]);
    expect(state.dead).toEqual([]);
    await runtime.advance(400_000);
    expect(leader.fault).toBeNull();
    await leader.stop();
    await follower.stop();
  });

  it('W26: of a resource that the cluster has switched wait for a coordinator that has followed, however long', async () => {
    const { runtime, state, cache, epochs, coordinator, call } = world(100);
    const leader = coordinator({ ...vault, epoch: 1 });
    epochs.set('vault', 2);
    leader.start();
    call('vault', '1');
    await runtime.advance(600_000);
    expect(leader.fault).toMatch(/vault, whose switch was not followed here/);
    expect([state.dead, cache.sent]).toEqual([[], []]);
    const follower = coordinator({ ...vault, epoch: 2 });
    follower.start();
    await runtime.advance(1_000);
    expect(cache.sent).toEqual(['vault:1']);
    expect(state.rows).toEqual([]);
    await leader.stop();
    await follower.stop();
  });

  it('W20: of a resource that nobody knows become dead letters in the end, and are logged once', async () => {
    const { runtime, state, coordinator, call } = world(100);
    const leader = coordinator(account);
    leader.start();
    for (let id = 0; id < 5; id += 1) call('gone', String(id));
    await runtime.advance(290_000);
    expect(state.dead).toEqual([]);
    expect(runtime.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    await runtime.advance(20_000);
    expect(state.dead).toEqual(Array(5).fill('the resource "gone" is not configured'));
    expect(state.rows).toEqual([]);
    await leader.stop();
  });

  it('wait while the cache is away: nothing is lost, counted or given up (X3)', async () => {
    const { runtime, state, cache, coordinator, call } = world();
    const leader = coordinator(account);
    leader.start();
    await runtime.advance(10);
    cache.available = false;
    call('account', '1');
    await runtime.advance(600_000);
    expect(leader.fault).toMatch(/the cache does not answer/);
    expect(state.rows).toMatchObject([{ attempts: 0, dueAtMs: -Infinity }]);
    cache.available = true;
    await runtime.advance(600);
    expect(leader.fault).toBeNull();
    expect(state.rows).toEqual([]);
    await leader.stop();
  });

  it('are done in smaller numbers if the cache is too slow for many', async () => {
    const { runtime, state, cache, coordinator, call } = world();
    cache.most = 70;
    const leader = coordinator(account);
    leader.start();
    for (let id = 0; id < 1_000; id += 1) call('account', String(id));
    await runtime.advance(30_000);
    expect(state.rows).toEqual([]);
    expect(state.dead).toEqual([]);
    await leader.stop();
  });

  it('wait while the database is away', async () => {
    const { runtime, state, coordinator, call } = world();
    const leader = coordinator(account);
    leader.start();
    await runtime.advance(10);
    state.isAway = true;
    call('account', '1');
    const { looks } = state;
    await runtime.advance(10_000);
    expect(leader.fault).toBe('the database does not answer');
    expect(state.looks - looks).toBeLessThan(60);
    state.isAway = false;
    await runtime.advance(1_000);
    expect(state.rows).toEqual([]);
    await leader.stop();
  });

  it('W20: that keep failing wait by themselves and become dead letters', async () => {
    const { runtime, state, cache, coordinator, call } = world(100);
    cache.failing.add('account:1');
    const leader = coordinator(account);
    leader.start();
    call('account', '1');
    call('account', '2');
    await runtime.advance(200);
    expect(state.rows.map(({ parts }) => parts)).toEqual([['1']]);
    await runtime.advanceUntil(() => state.dead.length > 0, 3_600_000, 1_000);
    expect(state.dead[0]).toMatch(/gave up after 12 attempts: WRONGTYPE/);
    await leader.stop();
  });

  it('W19: stay until what hangs on the row is invalidated too, whatever its table says', async () => {
    const { runtime, state, cache, rows, coordinator, call } = world();
    const leader = coordinator(account, vault);
    leader.start();
    rows.fault = new LockstepError('INTERNAL', 'the table is gone');
    call('account', '1');
    call('vault', '1');
    await runtime.advance(200);
    expect(cache.sent).toEqual(['account:1', 'vault:1']);
    expect(state.rows).toMatchObject([{ resource: 'account', attempts: 1 }]);
    rows.fault = null;
    await runtime.advance(2_000);
    expect(cache.sent).toContain('page:ann');
    expect(state.rows).toEqual([]);
    await leader.stop();
  });

  it('that name a whole resource stay until a sweep has ended', async () => {
    const { runtime, state, cache, coordinator, call } = world();
    const leader = coordinator(account, vault);
    leader.start();
    call('vault');
    await runtime.advance(5);
    expect(cache.sent).toEqual(['vault:1']);
    await runtime.advance(100);
    expect(state.rows).toEqual([]);
    await leader.stop();
    expect(runtime.pendingTimers).toBe(0);
  });
});
